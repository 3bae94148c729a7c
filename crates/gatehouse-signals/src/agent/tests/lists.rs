//! Quality on the measuring lists that stand beside the repository. Without them these tests say so and pass.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;

use super::super::{AgentClass, classify};

fn bench_data(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench-data")).join(name);
    let data = fs::read(&path);
    if data.is_err() {
        eprintln!("skipped: `{}` is not there", path.display());
    }
    data.ok()
}

/// How often bots and browsers were judged, and how often they were flagged.
#[derive(Default)]
struct Tally {
    bots: u32,
    bots_flagged: u32,
    browsers: u32,
    browsers_flagged: u32,
}

impl Tally {
    fn count(&mut self, bot: bool, flagged: bool) {
        let (all, hits) = if bot {
            (&mut self.bots, &mut self.bots_flagged)
        } else {
            (&mut self.browsers, &mut self.browsers_flagged)
        };
        *all += 1;
        *hits += u32::from(flagged);
    }

    fn print(&self, what: &str) {
        let percent = |part: u32, of: u32| f64::from(part) * 100.0 / f64::from(of.max(1));
        println!(
            "{what}: {} of {} bots flagged ({:.2} %), {} of {} browsers flagged ({:.2} %)",
            self.bots_flagged,
            self.bots,
            percent(self.bots_flagged, self.bots),
            self.browsers_flagged,
            self.browsers,
            percent(self.browsers_flagged, self.browsers)
        );
    }
}

/// The half of the list that a text belongs to: the lowest bit of its FNV-1a hash.
fn half(text: &[u8]) -> usize {
    let hash = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    usize::from(hash >> 32 & 1 == 1)
}

#[test]
fn of_bots_99_percent_are_flagged_and_of_browsers_1_percent_at_most() {
    let Some(packed) = bench_data("ua/isbot.tsv.gz") else { return };
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut text).unwrap();
    let mut halves = [Tally::default(), Tally::default()];
    let mut whole = Tally::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let columns: Vec<_> = line.splitn(3, |byte| *byte == b'\t').collect();
        let (bot, agent) = (columns[0] == b"1", classify(columns[2]));
        let flagged = agent.class.is_automated();
        whole.count(bot, flagged);
        halves[half(columns[2])].count(bot, flagged);
        if bot != flagged {
            println!("{} `{}`: {}", agent.class, agent.name, String::from_utf8_lossy(columns[2]));
        }
    }
    halves[0].print("first half");
    halves[1].print("second half");
    whole.print("whole list");
    assert!(whole.bots > 500 && whole.browsers > 500, "the list is not what it was");
    assert!(whole.bots_flagged * 100 >= whole.bots * 99);
    assert!(whole.browsers_flagged * 100 <= whole.browsers);
}

#[test]
fn every_known_agent_of_a_language_model_is_an_ai_crawler() {
    let Some(data) = bench_data("ua/ai_robots.json") else { return };
    let robots: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&data).unwrap();
    assert!(robots.len() > 100, "the list is not what it was");
    for name in robots.keys() {
        for text in [
            name.clone(),
            format!("{name}/1.0"),
            format!("Mozilla/5.0 (compatible; {name}/1.0; +https://example.com/bot)"),
            format!(
                "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; {name}/1.0; +https://example.com) \
                 Chrome/131.0.0.0 Safari/537.36"
            ),
        ] {
            assert_eq!(classify(text.as_bytes()).class, AgentClass::AiCrawler, "{text}");
        }
    }
}

#[test]
fn every_known_security_tool_is_a_scanner() {
    let Some(data) = bench_data("crs/scanners-user-agents.data") else { return };
    let text = String::from_utf8(data).unwrap();
    let tools = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut count = 0;
    for tool in tools {
        count += 1;
        for text in [
            tool.to_owned(),
            format!("{tool}/1.0"),
            tool.to_uppercase(),
            format!("Mozilla/5.0 (compatible; {tool}/1.0)"),
        ] {
            assert_eq!(classify(text.as_bytes()).class, AgentClass::Scanner, "{text}");
        }
    }
    assert!(count > 50, "the list is not what it was");
}
