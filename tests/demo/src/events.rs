//! The events that the house wrote (one JSON object a line), read back and counted: nobody's word is taken for it.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::Path;

use serde_json::Value;

/// What was decided, and by what: a rule, or the reason where no rule decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decision {
    /// `allow`, `block` or `redirect`.
    pub action: String,
    /// `policy/rule`; `None`: no rule decided.
    pub rule: Option<String>,
    /// Why, in one word.
    pub reason: String,
}

/// What the events say. It grows with the run: one id (and one reference) an event.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Transactions.
    pub total: u64,
    /// By status of the response.
    pub by_status: BTreeMap<u16, u64>,
    /// By what was decided.
    pub decisions: BTreeMap<Decision, u64>,
    /// What rules in monitor mode would have done, by action and rule.
    pub would_have: BTreeMap<(String, String), u64>,
    /// References in the events.
    pub references: HashSet<String>,
    /// Transactions that a rule asked to keep, by that policy's word `record`.
    pub kept: u64,
    /// Transactions that were tagged for the application.
    pub tagged: u64,
    /// Records that were lost and booked as lost.
    pub lost: u64,
    /// Lines that are no event.
    pub unreadable: u64,
    /// One blocked request as it lies in its file; one that came through the load balancer if there is any.
    pub example: Option<String>,
    example_forwarded: bool,
    seen: HashSet<String>,
}

impl Account {
    /// Reads every file of the folder. A line that is still being written is left out.
    ///
    /// # Errors
    /// The folder or a file cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut account = Self::default();
        let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.sort();
        for file in files.iter().filter(|file| file.is_file()) {
            let bytes = std::fs::read(file)?;
            let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines = bytes.get(..whole).unwrap_or_default().split(|byte| *byte == b'\n');
            lines.filter(|line| !line.is_empty()).for_each(|line| account.line(line));
        }
        Ok(account)
    }

    /// Transactions that went on to the application.
    pub fn allowed(&self) -> u64 {
        self.decisions.iter().filter(|(decision, _)| decision.action == "allow").map(|(_, count)| count).sum()
    }

    /// Transactions that the gate answered itself.
    pub fn mitigated(&self) -> u64 {
        self.total - self.allowed()
    }

    fn line(&mut self, line: &[u8]) {
        match serde_json::from_slice::<Value>(line) {
            Ok(event) => self.event(&event, line),
            Err(_) => self.unreadable += 1,
        }
    }

    fn event(&mut self, event: &Value, line: &[u8]) {
        let code = event.pointer("/metadata/event_code").and_then(Value::as_str);
        match code {
            Some("gatehouse.record") => self.transaction(event, line),
            Some("gatehouse.loss") => {
                self.lost += event.pointer("/count").and_then(Value::as_u64).unwrap_or(1);
            }
            _ => self.unreadable += 1,
        }
    }

    fn transaction(&mut self, event: &Value, line: &[u8]) {
        // Delivery is at least once, and a long transaction also has interim events.
        let id = text(event, "/metadata/uid");
        if text(event, "/unmapped/gatehouse/part") == "interim" || !self.seen.insert(id) {
            return;
        }
        self.total += 1;
        let status = event.pointer("/http_response/code").and_then(Value::as_u64).unwrap_or_default();
        *self.by_status.entry(u16::try_from(status).unwrap_or_default()).or_default() += 1;
        let own = |name: &str| text(event, &format!("/unmapped/gatehouse/{name}"));
        let (action, reference) = (own("action"), own("reference"));
        let blocked = action == "block";
        let rule = Some(own("rule")).filter(|rule| !rule.is_empty());
        if action != "allow" && !reference.is_empty() {
            self.references.insert(reference);
        }
        *self.decisions.entry(Decision { action, rule, reason: own("reason") }).or_default() += 1;
        for would in list(event, "/unmapped/gatehouse/would_have") {
            *self.would_have.entry((text(would, "/action"), text(would, "/rule"))).or_default() += 1;
        }
        self.kept += u64::from(event.pointer("/unmapped/gatehouse/record") == Some(&Value::Bool(true)));
        self.tagged += u64::from(!list(event, "/unmapped/gatehouse/tags").is_empty());
        let forwarded = own("client_address_source") == "forwarded";
        if blocked && (self.example.is_none() || forwarded && !self.example_forwarded) {
            self.example = Some(String::from_utf8_lossy(line).into_owned());
            self.example_forwarded = forwarded;
        }
    }
}

fn text(event: &Value, pointer: &str) -> String {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(event: &'a Value, pointer: &str) -> &'a [Value] {
    event.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(uid: &str, status: u16, own: &str) -> String {
        format!(
            "{{\"metadata\":{{\"uid\":\"{uid}\",\"event_code\":\"gatehouse.record\"}},\
             \"http_response\":{{\"code\":{status}}},\"unmapped\":{{\"gatehouse\":{{{own}}}}}}}\n"
        )
    }

    fn read(files: &[(&str, String)]) -> Account {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Account::read(folder.path()).unwrap()
    }

    const BLOCK: &str =
        "\"part\":\"final\",\"action\":\"block\",\"rule\":\"shop/x\",\"reason\":\"rule\",\"reference\":\"R1\"";
    const ALLOW: &str = "\"part\":\"final\",\"action\":\"allow\",\"reason\":\"otherwise\"";

    #[test]
    fn rotated_files_are_one_account_and_a_redelivered_event_counts_once() {
        let account = read(&[
            ("a.ndjson", [record("1", 403, BLOCK), record("2", 200, ALLOW)].concat()),
            ("b.ndjson", [record("2", 200, ALLOW), record("3", 200, ALLOW)].concat()),
        ]);
        assert_eq!((account.total, account.allowed(), account.mitigated()), (3, 2, 1));
        assert_eq!(account.by_status, BTreeMap::from([(200, 2), (403, 1)]));
        assert!(account.references.contains("R1"));
        assert_eq!(account.example.unwrap() + "\n", record("1", 403, BLOCK));
    }

    #[test]
    fn interim_events_do_not_count_and_a_half_written_line_waits() {
        let interim = ALLOW.replace("final", "interim");
        let whole = record("1", 200, ALLOW);
        let account =
            read(&[("a", [record("1", 200, &interim), whole.clone(), whole.chars().take(40).collect()].concat())]);
        assert_eq!((account.total, account.unreadable), (1, 0));
    }

    #[test]
    fn losses_and_foreign_lines_are_counted_apart() {
        let loss = "{\"metadata\":{\"event_code\":\"gatehouse.loss\"},\"count\":7}\n";
        let account = read(&[("a", format!("{loss}nonsense\n{{}}\n"))]);
        assert_eq!((account.total, account.lost, account.unreadable), (0, 7, 2));
    }

    #[test]
    fn what_monitor_mode_would_have_done_is_counted_by_rule() {
        let own = format!(
            "{ALLOW},\"would_have\":[{{\"action\":\"block\",\"rule\":\"shop/m\"}}],\"tags\":[\"t\"],\"record\":true"
        );
        let account = read(&[("a", [record("1", 200, &own), record("2", 200, &own)].concat())]);
        assert_eq!(account.would_have, BTreeMap::from([(("block".to_owned(), "shop/m".to_owned()), 2)]));
        assert_eq!((account.allowed(), account.kept, account.tagged), (2, 2, 2));
    }

    #[test]
    fn the_example_is_rather_one_that_came_through_the_load_balancer() {
        let through = format!("{BLOCK},\"client_address_source\":\"forwarded\"");
        let account =
            read(&[("a", [record("1", 403, BLOCK), record("2", 403, &through), record("3", 403, BLOCK)].concat())]);
        assert_eq!(account.example.unwrap() + "\n", record("2", 403, &through));
    }
}
