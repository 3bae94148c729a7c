//! The measurement itself at small sizes, without valgrind; what the fit says of costs that are known; files.

use super::measure::{measure, nanos};
use super::{Bench as _, Column, Expected, Figures, Growth, Here, Line, Row, SUBJECTS, Subject, Topic, fit, keep};

fn subject(name: &str) -> &'static Subject {
    SUBJECTS.iter().copied().find(|subject| (subject.plan)().name == name).expect(name)
}

/// The topic with fewer sizes, measured in this process.
fn small(name: &str, sizes: &[u64]) -> Topic {
    let mut topic = (subject(name).plan)();
    topic.lines.iter_mut().for_each(|line| line.sizes = sizes.to_vec());
    measure(&Here, subject(name), topic).expect("measured")
}

fn points(cost: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    [10.0, 100.0, 1e3, 1e4, 1e5].into_iter().map(|size| (size, cost(size))).collect()
}

#[test]
fn a_power_is_found_as_it_is_and_what_does_not_grow_with_it_is_left_out() {
    let slope = |cost: fn(f64) -> f64| fit::judge(&points(cost), Growth::Constant).slope.unwrap();
    assert!(slope(|_| 7000.0) == 0.0);
    assert!((slope(|n| 3.0 * n) - 1.0).abs() < 1e-9);
    assert!((slope(|n| n * n) - 2.0).abs() < 1e-9);
    // 5,000 instructions hide it at 10 and at 100, not where it counts.
    assert!(slope(|n| 5000.0 + n * n) > 1.8);
}

#[test]
fn what_grows_faster_than_expected_is_a_defect_and_so_is_what_is_super_linear() {
    let is_defect = |growth, cost: fn(f64) -> f64| fit::judge(&points(cost), growth).fault().is_some();
    assert!(!is_defect(Growth::Constant, |n| 7000.0 + n.ln()) && is_defect(Growth::Constant, f64::sqrt));
    assert!(!is_defect(Growth::Logarithmic, |n| 40.0 * n.ln()) && is_defect(Growth::Logarithmic, |n| n.powf(0.3)));
    assert!(!is_defect(Growth::Linear, |n| 20.0 * n + 9000.0) && is_defect(Growth::Linear, |n| n.powf(1.12)));
    assert!(is_defect(Growth::Linear, |n| n * n) && !is_defect(Growth::Linear, |_| 3.0));
    assert!(fit::judge(&[(10.0, 5.0)], Growth::Constant).fault().is_some_and(|fault| fault.contains("too few")));
}

#[test]
fn the_upper_half_has_three_sizes_where_there_are_so_many() {
    let counts = [1, 2, 3, 5, 6, 9].map(|count| fit::upper(&vec![(1.0, 1.0); count]).len());
    assert_eq!(counts, [1, 2, 3, 3, 3, 5]);
}

#[test]
fn every_line_of_every_subject_can_be_measured() {
    for (name, sizes) in [("rules", [10, 50]), ("lists", [100, 300]), ("clients", [100, 1000]), ("headers", [1, 40])] {
        let topic = small(name, &sizes);
        for line in &topic.lines {
            let rows: Vec<&Figures> = line.rows.iter().map(|row| row.found.as_ref().expect("taken")).collect();
            assert_eq!(rows.len(), 2, "{name}, {}", line.name);
            let timed = topic.columns.iter().filter(|column| !subject(name).counts.contains(&column.key));
            for Column { key, .. } in timed {
                assert!(rows.iter().all(|row| row.contains_key(*key)), "{name}, {}, {key}: {rows:?}", line.name);
            }
            for expected in &line.expected {
                assert!(topic.column(expected.key).is_some(), "{name}, {}, {}", line.name, expected.key);
            }
        }
    }
}

#[test]
fn half_of_the_look_ups_find_something_at_every_size() {
    for line in (subject("lists").plan)().lines {
        for size in [100, 1000] {
            Here.make(subject("lists"), line.name, size).unwrap().unwrap();
            let (found, all) = super::lists::found(line.name, size).unwrap();
            assert!((all * 49 / 100..=all * 51 / 100).contains(&found), "{}: {found} of {all}", line.name);
        }
    }
}

#[test]
fn clients_beyond_the_cells_push_one_another_out_and_take_no_more_memory() {
    let topic = small("clients", &[1000, 100_000, 120_000]);
    for line in &topic.lines {
        let of = |key: &str| line.rows.iter().map(|row| row.found.as_ref().unwrap()[key]).collect::<Vec<_>>();
        let (cells, evicted) = (of("cells"), of("evicted"));
        assert!(cells[0] < cells[1] && cells[1] == cells[2], "{}: {cells:?}", line.name);
        assert!(evicted[0] == 0.0 && evicted[1] > 30_000.0, "{}: {evicted:?}", line.name);
    }
}

#[test]
fn what_the_compiler_refuses_is_a_row_in_its_words() {
    // Each entry is so long that a few make a file of more than 16 MiB.
    let words = super::lists::refused_for_its_size().expect("refused");
    assert!(words.contains("is larger than 16 MiB"), "{words}");
    let topic = known(vec![
        Row { size: 10, found: Ok([("cost".to_owned(), 5.0)].into()) },
        Row { size: 100, found: Err(words.clone()) },
    ]);
    assert!(topic.defects().iter().any(|defect| defect.contains("too few sizes")), "{:?}", topic.defects());
    assert!(super::print::tables(&topic).contains(&format!("| 100 | refused: {words} |")));
    assert!(super::picture::draw(&topic).contains("100: refused: "));
}

/// A topic of one line.
fn known(rows: Vec<Row>) -> Topic {
    const COLUMNS: &[Column] = &[Column { key: "cost", head: "cost <of> & all", digits: 0, drawn: true }];
    let expected = vec![Expected { key: "cost", growth: Growth::Linear, judged: true }];
    let line = Line { name: "one", expected, sizes: rows.iter().map(|row| row.size).collect(), rows };
    Topic { name: "known", title: "Known", of: "things", columns: COLUMNS, lines: vec![line] }
}

fn costs(cost: fn(u64) -> f64) -> Topic {
    let sizes = [10, 100, 1000, 10_000];
    known(sizes.map(|size| Row { size, found: Ok([("cost".to_owned(), cost(size))].into()) }).into())
}

#[test]
fn pictures_are_well_formed_and_files_hold_every_topic_once() {
    let folder = tempfile::tempdir().unwrap();
    for topic in [costs(|n| (n * n) as f64), costs(|n| n as f64), small("headers", &[1, 2, 4])] {
        keep::keep(&topic, folder.path()).unwrap();
        let svg = std::fs::read_to_string(folder.path().join(format!("growth-{}.svg", topic.name))).unwrap();
        let read = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        let of = |class: &str| read.descendants().filter(|node| node.attribute("class") == Some(class)).count();
        let drawn = topic.columns.iter().filter(|column| column.drawn);
        let points = drawn.map(|column| topic.lines.iter().map(|line| line.points(column.key).len()).sum::<usize>());
        assert_eq!(of("size"), points.sum::<usize>());
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    let json = std::fs::read_to_string(folder.path().join("growth.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_object().unwrap().keys().collect::<Vec<_>>(), ["headers", "known"]);
    let growth = &json["known"]["lines"]["one"]["growth"]["cost"];
    assert!(growth["defect"] == false && growth["expected"] == "O(n)", "{growth}");
}

#[test]
fn a_defect_is_told_and_figures_are_written_in_groups() {
    assert_eq!(costs(|n| n as f64).defects(), Vec::<String>::new());
    let defects = costs(|n| (n * n) as f64).defects();
    assert_eq!(
        defects,
        ["DEFECT: known, one, cost: grows as n^2.00, at most n^1.10 is expected of O(n)"],
        "{defects:?}"
    );
    assert_eq!(super::print::number(1_234_567.89, 1), "1,234,567.9");
}

#[test]
fn a_call_is_timed_alone() {
    let mut call: crate::Call = Box::new(|| std::thread::sleep(std::time::Duration::from_micros(200)));
    assert!(nanos(&mut call, 5) >= 200_000.0);
}
