//! Numbers with a meaning: time spans within bounds, rates, statuses, how far a rule reaches.

use crate::document::{Node, Problems, Value, duration_ms, duration_text, quoted};

use super::bounds;
use super::types::{Range, Rollout, Statuses};

const NANOS_PER_MS: u64 = 1_000_000;

/// A time span within bounds (milliseconds), in nanoseconds.
pub(super) fn nanos(node: &Node, (least, most): (u64, u64), problems: &mut Problems) -> Option<u64> {
    let span = node.duration(problems)?;
    let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    if !(least..=most).contains(&ms) {
        let help = format!("write {} to {}", duration_text(least), duration_text(most));
        problems.push(&node.place, format!("{} is out of range", quoted(&written(node))), help);
        return None;
    }
    Some(ms * NANOS_PER_MS)
}

fn written(node: &Node) -> String {
    match &node.value {
        Value::String(text) => text.clone(),
        _ => node.kind(),
    }
}

/// `N per WINDOW`: the number and the window in nanoseconds.
pub(super) fn rate(node: &Node, problems: &mut Problems) -> Option<(u32, u64)> {
    const HELP: &str = "write a number, `per` and a window with its unit, such as `10 per 1m`";
    let Value::String(text) = &node.value else {
        problems.push(&node.place, format!("{} where a rate is expected", node.kind()), HELP);
        return None;
    };
    let Some((number, window)) = text.split_once(" per ") else {
        problems.push(&node.place, format!("{} is not a rate", quoted(text)), HELP);
        return None;
    };
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|n| plain && (1..=bounds::RATE).contains(n));
    let Some(number) = number else {
        let help = format!("write a whole number from 1 to {} before `per`", bounds::RATE);
        problems.push(&node.place, format!("{} is not a rate", quoted(text)), help);
        return None;
    };
    let Some(ms) = duration_ms(window) else {
        problems.push(&node.place, format!("{} has no window with its unit", quoted(text)), HELP);
        return None;
    };
    let (least, most) = bounds::WINDOW_MS;
    if !(least..=most).contains(&ms) {
        let help = format!("write a window from {} to {}", duration_text(least), duration_text(most));
        problems.push(&node.place, format!("the window of {} is out of range", quoted(text)), help);
        return None;
    }
    Some((number, ms * NANOS_PER_MS))
}

/// `401`, `4xx`, `500-503`, or a list of these.
pub(super) fn statuses(node: &Node, problems: &mut Problems) -> Option<Statuses> {
    let items = node.one_or_many();
    if items.is_empty() {
        problems.push(&node.place, "an empty list matches nothing", "write statuses, or leave the field out");
        return None;
    }
    let read: Vec<Option<(u16, u16)>> = items.iter().map(|item| status_range(item, problems)).collect();
    let mut ranges: Vec<(u16, u16)> = read.into_iter().collect::<Option<_>>()?;
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    Some(Statuses(joined))
}

fn status_range(node: &Node, problems: &mut Problems) -> Option<(u16, u16)> {
    let status = |text: &str| {
        let plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u16>().ok().filter(|status| plain && (100..=599).contains(status))
    };
    let (text, range) = match &node.value {
        Value::Integer(number) => {
            let text = number.to_string();
            let range = status(&text).map(|s| (s, s));
            (text, range)
        }
        Value::String(text) => {
            let class = text.strip_suffix("xx").and_then(|class| status(&format!("{class}00")));
            let range = match text.split_once('-') {
                Some((first, last)) => status(first).zip(status(last)).filter(|(first, last)| first <= last),
                None => class.map(|first| (first, first + 99)).or_else(|| status(text).map(|s| (s, s))),
            };
            (text.clone(), range)
        }
        _ => (node.kind(), None),
    };
    if range.is_none() {
        let help = "write one from 100 to 599, a class such as `4xx`, or a range such as `500-503`";
        problems.push(&node.place, format!("{} is not a status", quoted(text.trim_matches('`'))), help);
    }
    range
}

/// `monitor`, `canary N%`, `enforce`.
pub(super) fn rollout(node: &Node, problems: &mut Problems) -> Option<Rollout> {
    if let Value::String(text) = &node.value
        && let Some(share) = text.strip_prefix("canary")
    {
        let percent = share.strip_prefix(' ').and_then(|share| share.strip_suffix('%'));
        let percent = percent.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
        let percent = percent.and_then(|digits| digits.parse::<u8>().ok());
        if let Some(percent @ 1..=99) = percent {
            return Some(Rollout::Canary(percent));
        }
        let help = match percent {
            Some(0) => "write `monitor` for nobody",
            Some(100..) => "write `enforce` for everybody",
            _ => "write a share of the clients from 1 to 99, such as `canary 10%`",
        };
        problems.push(&node.place, format!("{} is not a mode", quoted(text)), help);
        return None;
    }
    match node.one_of(&["monitor", "canary N%", "enforce"], problems)? {
        "monitor" => Some(Rollout::Monitor),
        "enforce" => Some(Rollout::Enforce),
        _ => {
            problems.push(&node.place, "`canary N%` is not a mode", "write a number for N, such as `canary 10%`");
            None
        }
    }
}

/// `atLeast` and `atMost`, of which one at least is written.
pub(super) fn range(least: Option<u64>, most: Option<u64>, node: &Node, problems: &mut Problems) -> Option<Range> {
    if least.is_none() && most.is_none() {
        problems.push(&node.place, "neither `atLeast` nor `atMost` is written", "write one of them, or both");
        return None;
    }
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        problems.push(
            &node.place,
            "`atLeast` is above `atMost`: nothing is both",
            "write the smaller one as `atLeast`",
        );
        return None;
    }
    Some(Range { least, most })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Place;

    fn node(value: Value) -> Node {
        Node { value, place: Place::pointer("p") }
    }

    fn text(text: &str) -> Node {
        node(Value::String(text.into()))
    }

    #[test]
    fn rates_have_a_number_and_a_window_with_its_unit() {
        let mut problems = Problems::default();
        assert_eq!(rate(&text("10 per 1m"), &mut problems), Some((10, 60_000_000_000)));
        assert_eq!(rate(&text("1000000 per 1h30m"), &mut problems), Some((1_000_000, 5_400_000_000_000)));
        assert!(problems.is_empty());
        for bad in [
            "10",
            "10 per",
            "10 per 1",
            "0 per 1m",
            "1000001 per 1m",
            "+1 per 1m",
            " 1 per 1m",
            "1 per 2d",
            "1 per 500ms",
            "1  per 1m",
        ] {
            assert_eq!(rate(&text(bad), &mut problems), None, "{bad}");
        }
        assert_eq!(rate(&node(Value::Integer(10)), &mut problems), None);
        assert_eq!(problems.0.len(), 11);
    }

    #[test]
    fn statuses_are_numbers_classes_and_ranges_joined_where_they_touch() {
        let mut problems = Problems::default();
        let list = node(Value::List(vec![
            text("4xx"),
            node(Value::Integer(401)),
            text("500-503"),
            text("504"),
            node(Value::Integer(200)),
        ]));
        assert_eq!(statuses(&list, &mut problems), Some(Statuses(vec![(200, 200), (400, 504)])));
        for bad in [
            text("6xx"),
            text("99"),
            text("503-500"),
            text("4x"),
            text("+401"),
            node(Value::Integer(600)),
            node(Value::Null),
        ] {
            assert_eq!(statuses(&bad, &mut problems), None, "{bad:?}");
        }
        assert_eq!(problems.0.len(), 7);
    }

    #[test]
    fn a_canary_has_a_share_between_nobody_and_everybody() {
        let mut problems = Problems::default();
        assert_eq!(rollout(&text("canary 10%"), &mut problems), Some(Rollout::Canary(10)));
        assert_eq!(rollout(&text("enforce"), &mut problems), Some(Rollout::Enforce));
        assert!(problems.is_empty());
        for bad in ["canary", "canary 0%", "canary 100%", "canary 10", "canary10%", "canary 1000%", "canary N%", "off"]
        {
            assert_eq!(rollout(&text(bad), &mut problems), None, "{bad}");
        }
    }
}
