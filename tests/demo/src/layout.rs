//! JSON laid out for reading: members in the order of the file, short objects on one line.

/// Lays out valid JSON within `width` columns; a value that is wider than that alone is cut and goes on below.
pub fn lay_out(json: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    value(json.trim(), "", "", width, &mut lines);
    lines.iter().flat_map(|line| fold(line, width)).collect()
}

/// Appends `lead` + the value + `end`; what does not fit goes on lines of its own, two columns deeper.
fn value(json: &str, lead: &str, end: &str, width: usize, lines: &mut Vec<String>) {
    let line = format!("{lead}{}{end}", spaced(json));
    let brackets = json.chars().next().zip(json.chars().next_back()).filter(|(open, _)| matches!(open, '{' | '['));
    let Some((open, close)) = brackets.filter(|_| line.chars().count() > width) else {
        lines.push(line);
        return;
    };
    lines.push(format!("{lead}{open}"));
    let indent = lead.chars().take_while(|letter| *letter == ' ').count();
    let members = members(json);
    for (at, member) in members.iter().enumerate() {
        let comma = if at + 1 < members.len() { "," } else { "" };
        let (key, inner) = if open == '{' { split(member) } else { (String::new(), member.as_str()) };
        value(inner, &format!("{}{key}", " ".repeat(indent + 2)), comma, width, lines);
    }
    lines.push(format!("{}{close}{end}", " ".repeat(indent)));
}

/// Each character of JSON with its depth of brackets after it, and whether it stands inside a string.
fn walk(json: &str) -> impl Iterator<Item = (char, usize, bool)> + '_ {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    json.chars().map(move |letter| {
        let inside = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        (letter, depth, inside)
    })
}

/// The members of an object or the items of a list, as text.
fn members(json: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut letters = walk(json).skip(1).peekable();
    while let Some((letter, depth, quoted)) = letters.next() {
        // The last letter is the closing bracket.
        if letters.peek().is_none() {
            break;
        }
        match members.last_mut() {
            Some(_) if letter == ',' && depth == 1 && !quoted => members.push(String::new()),
            Some(member) => member.push(letter),
            None => {}
        }
    }
    members.iter().map(|member| member.trim().to_owned()).filter(|member| !member.is_empty()).collect()
}

/// The key of a member with its colon, and the value.
fn split(member: &str) -> (String, &str) {
    let colon = walk(member).position(|(letter, _, quoted)| letter == ':' && !quoted);
    let at = colon.and_then(|at| member.char_indices().nth(at)).map_or(0, |(at, _)| at);
    let (key, rest) = member.split_at_checked(at).unwrap_or_default();
    (format!("{}: ", key.trim()), rest.strip_prefix(':').unwrap_or(rest).trim())
}

/// The value on one line, a blank after each colon and comma and inside of braces.
fn spaced(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 8);
    let mut last = ' ';
    for (letter, _, quoted) in walk(json) {
        if !quoted && letter.is_whitespace() {
            continue;
        }
        if letter == '}' && !quoted && last != '{' {
            text.push(' ');
        }
        if last == '{' && letter != '}' {
            text.push(' ');
        }
        text.push(letter);
        if !quoted && matches!(letter, ':' | ',') {
            text.push(' ');
        }
        last = if quoted { ' ' } else { letter };
    }
    text
}

/// A line that is still too wide, cut; what is cut off stands below it, deeper.
fn fold(line: &str, width: usize) -> Vec<String> {
    let indent = (line.chars().take_while(|letter| *letter == ' ').count() + 4).min(width / 2);
    let mut pieces = vec![String::new()];
    let mut room = width;
    for letter in line.chars() {
        if room == 0 {
            pieces.push(" ".repeat(indent));
            room = width - indent;
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
        room -= 1;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn short_objects_stay_on_their_line_and_the_order_is_kept() {
        let json = r#"{"z":1,"a":{"name":"x, y: {z}","n":[1,2],"e":{}},"long":["aaaaaaaaaaaaaaaaaaaa","bbbbbbbbbbbbbbbbbbbb"]}"#;
        let expected = [
            "{",
            "  \"z\": 1,",
            "  \"a\": { \"name\": \"x, y: {z}\", \"n\": [1, 2], \"e\": {} },",
            "  \"long\": [",
            "    \"aaaaaaaaaaaaaaaaaaaa\",",
            "    \"bbbbbbbbbbbbbbbbbbbb\"",
            "  ]",
            "}",
        ];
        assert_eq!(lay_out(json, 56), expected);
    }

    #[test]
    fn a_value_that_is_too_wide_is_cut_and_nothing_of_it_is_lost() {
        let json = format!("{{\"k\":\"{}\"}}", "é".repeat(100));
        let lines = lay_out(&json, 40);
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        let text: String = lines.iter().flat_map(|line| line.trim().chars()).collect();
        assert_eq!(text.matches('é').count(), 100);
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[ -~é\n]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,6}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_layout_means_what_the_text_meant(json in any_json()) {
            for text in [json.to_string(), serde_json::to_string_pretty(&json).unwrap()] {
                // Wide enough for every single value, narrow enough for most objects to be broken.
                let laid_out = lay_out(&text, 90).join("\n");
                prop_assert_eq!(&serde_json::from_str::<Value>(&laid_out).unwrap(), &json);
            }
        }
    }
}
