//! The problems of `gatehouse check` as SARIF 2.1.0 (OASIS), so that code hosts show them beside the line.

use serde::Serialize;

use crate::check::{Finding, Report};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// A whole log with one run.
#[derive(Debug, Serialize)]
pub struct Sarif<'r> {
    version: &'static str,
    #[serde(rename = "$schema")]
    schema: &'static str,
    runs: [Run<'r>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'r> {
    tool: Tool,
    artifacts: Vec<Artifact>,
    results: Vec<Found<'r>>,
    column_kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: [Rule; 2],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message<'static>,
    default_configuration: Level,
}

#[derive(Debug, Serialize)]
struct Level {
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Artifact {
    location: ArtifactLocation,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'r> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message<'r>,
    locations: [Location<'r>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'r>>,
}

#[derive(Debug, Serialize)]
struct Message<'r> {
    text: std::borrow::Cow<'r, str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<Physical>,
    /// For a place without lines: the pointer into the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    logical_locations: Option<[Logical<'r>; 1]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Debug, Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Logical<'r> {
    fully_qualified_name: &'r str,
}

const RULES: [(&str, &str, &str); 2] = [
    ("policy-problem", "error", "The policy cannot be used"),
    ("policy-warning", "warning", "The policy probably does not say what is meant"),
];

impl<'r> Sarif<'r> {
    /// The log of a check.
    #[must_use]
    pub fn of(report: &'r Report) -> Self {
        let rule = |(id, level, text): (&'static str, &'static str, &'static str)| Rule {
            id,
            short_description: Message { text: text.into() },
            default_configuration: Level { level },
        };
        let errors = report.problems.iter().map(|problem| found(problem, 0, &report.files));
        let warnings = report.warnings.iter().map(|warning| found(warning, 1, &report.files));
        let artifact = |file: &String| Artifact { location: ArtifactLocation { uri: uri(file) } };
        let driver = Driver { name: "gatehouse", semantic_version: env!("CARGO_PKG_VERSION"), rules: RULES.map(rule) };
        let run = Run {
            tool: Tool { driver },
            artifacts: report.files.iter().map(artifact).collect(),
            results: errors.chain(warnings).collect(),
            column_kind: "unicodeCodePoints",
        };
        Self { version: "2.1.0", schema: SCHEMA, runs: [run] }
    }
}

fn found<'r>(finding: &'r Finding, rule: usize, files: &[String]) -> Found<'r> {
    let problem = &finding.problem;
    let (rule_id, level, _) = RULES.get(rule).copied().unwrap_or_default();
    let text = if problem.help.is_empty() {
        problem.message.as_str().into()
    } else {
        format!("{}; {}", problem.message, problem.help).into()
    };
    let locations = [location(&problem.place, files)];
    let related_locations = finding.also.iter().map(|place| location(place, files)).collect();
    Found { rule_id, rule_index: rule, level, message: Message { text }, locations, related_locations }
}

/// `file:line:column`, or a pointer that begins with the file's name.
fn location<'r>(place: &'r str, files: &[String]) -> Location<'r> {
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next(), parts.next(), parts.next());
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok()).filter(|number| *number > 0);
    if let (Some(file), Some(start_line), Some(start_column)) = (file, number(line), number(column)) {
        let region = Some(Region { start_line, start_column });
        let physical = Physical { artifact_location: ArtifactLocation { uri: uri(file) }, region };
        return Location { physical_location: Some(physical), logical_locations: None };
    }
    let file = files.iter().filter(|file| place.starts_with(file.as_str())).max_by_key(|file| file.len());
    let physical = file.map(|file| Physical { artifact_location: ArtifactLocation { uri: uri(file) }, region: None });
    Location { physical_location: physical, logical_locations: Some([Logical { fully_qualified_name: place }]) }
}

/// A path as a URI reference (RFC 3986, 4.1): absolute ones by the scheme `file`, others relative to wherever they are read.
fn uri(path: &str) -> String {
    let mut out = String::from(if path.starts_with('/') { "file://" } else { "" });
    let path = path.strip_prefix("./").unwrap_or(path);
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uri_references() {
        assert_eq!(uri("./policies/my shop.yaml"), "policies/my%20shop.yaml");
        assert_eq!(uri("/etc/gatehouse/a#b.yaml"), "file:///etc/gatehouse/a%23b.yaml");
    }

    #[test]
    fn a_place_with_lines_is_a_region_and_one_without_is_a_pointer() {
        let files = ["a.json".to_owned(), "p.yaml".to_owned()];
        let physical = location("dir/p.yaml:3:9", &files).physical_location.unwrap();
        let region = physical.region.unwrap();
        assert_eq!(
            (physical.artifact_location.uri.as_str(), region.start_line, region.start_column),
            ("dir/p.yaml", 3, 9)
        );
        let pointer = location("a.json.spec.rules[2].match", &files);
        assert_eq!(pointer.logical_locations.unwrap()[0].fully_qualified_name, "a.json.spec.rules[2].match");
        assert!(pointer.physical_location.unwrap().region.is_none());
    }
}
