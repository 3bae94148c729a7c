//! An image is loaded in short steps. `cargo test --release -p gatehouse-policy --features yaml --test load -- --nocapture` prints
//! how long the longest took.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends at its first surprise")]

use std::time::Instant;

use gatehouse_policy::{Format, IMAGE_VERSION, ImageLoader, Progress, Source, compile};

/// Loads an image; the longest and all units of work in nanoseconds, and their number.
fn load(image: &[u8], digest: [u8; 32]) -> (u128, u128, usize) {
    let mut loader = ImageLoader::begin(1, image.len() as u64, &digest, IMAGE_VERSION).expect("begins");
    let (mut longest, mut all, mut units) = (0, 0, 0);
    let mut timed = |begin: Instant| {
        let spent = begin.elapsed().as_nanos();
        longest = spent.max(longest);
        all += spent;
        units += 1;
    };
    for (number, chunk) in image.chunks(256 << 10).enumerate() {
        let begin = Instant::now();
        loader.chunk(&digest, (number * (256 << 10)) as u64, chunk).expect("taken");
        timed(begin);
        loop {
            let begin = Instant::now();
            let progress = loader.work(1).expect("sound");
            timed(begin);
            match progress {
                Progress::Busy => {}
                Progress::Waiting => break,
                Progress::Done(_) => return (longest, all, units),
            }
        }
    }
    panic!("the image did not load");
}

fn loaded(name: &str, texts: &[String]) -> usize {
    let sources: Vec<Source<'_>> =
        texts.iter().map(|text| Source { name: "corpus", text, format: Format::Json }).collect();
    let compiled = compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let runs: Vec<_> = (0..9).map(|_| load(&compiled.image, compiled.digest)).collect();
    // Others use the machine too: the shortest of the longest.
    let (longest, all, units) = runs.iter().min().copied().expect("runs");
    println!(
        "{name}: {} bytes, {units} units, longest {} us, all {} us",
        compiled.image.len(),
        longest / 1000,
        all / 1000
    );
    units
}

#[test]
fn a_large_image_is_loaded_in_many_short_units() {
    let entries = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
    let standard = gatehouse_corpora::standard_of(1_000, entries);
    assert!(loaded("1,000 rules and lists", &standard.documents) > 50);
    let most = gatehouse_corpora::Shape::Facts.corpus(if cfg!(debug_assertions) { 1_000 } else { 40_000 });
    assert!(loaded("rules by headers, networks and identities", &most.documents) > 50);
    let regexes = gatehouse_corpora::Shape::Regexes.corpus(if cfg!(debug_assertions) { 100 } else { 1_000 });
    assert!(loaded("regexes", &regexes.documents) > 40);
}
