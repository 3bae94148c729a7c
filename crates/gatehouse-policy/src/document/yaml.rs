//! YAML 1.2 to nodes, less what readers disagree on: a document means the same to a YAML 1.1 reader or it is refused.
//!
//! Refused with a word on what to write instead: anchors, aliases, tags, merge keys, a key written twice, keys that are no text,
//! plain `on off yes no y n` in any case, and plain numbers that 1.1 reads otherwise (`010`, `0o17`, `1_000`, `12:30`).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::suggest::quoted;
use super::{Entry, MAX_DEPTH, MAX_DOCUMENT, MAX_TEXT, Node, Place, Problems, Value};

/// Reads all documents of a text; empty ones are left out.
///
/// # Errors
/// The text is larger than 16 MiB or one document than 1 MiB, is no YAML, nests deeper than 32, or holds what the module refuses.
pub fn yaml(file: &str, text: &str) -> Result<Vec<Node>, Problems> {
    let mut problems = Problems::default();
    if text.len() > MAX_TEXT {
        problems.push(&Place::text(file, 1, 1), "the text is larger than 16 MiB", "split it");
        return Err(problems);
    }
    let mut reader = Reader { file: file.into(), parser: Parser::new_from_str(text), problems };
    let documents = match reader.documents(text) {
        Ok(documents) => documents,
        Err(error) => {
            let message = error.as_ref().map_or("it ends too early", ScanError::info);
            let place = error.as_ref().map_or_else(|| Place::text(file, 1, 1), |e| reader.place(*e.marker()));
            reader.problems.push(&place, format!("not YAML: {message}"), "");
            Vec::new()
        }
    };
    reader.problems.or(documents)
}

struct Reader<'t> {
    file: Arc<str>,
    parser: Parser<'t, StrInput<'t>>,
    problems: Problems,
}

/// The text is no YAML; `None`: it ended where more was due.
type Broken = Option<ScanError>;

impl<'t> Reader<'t> {
    fn documents(&mut self, text: &str) -> Result<Vec<Node>, Broken> {
        let mut documents = Vec::new();
        let mut begin = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::Nothing => {}
                Event::DocumentStart(_) => begin = span.start.index(),
                Event::DocumentEnd => {
                    // Characters, not bytes: a second, exact look is taken only where it can matter.
                    let length = span.end.index().saturating_sub(begin);
                    if length * 4 > MAX_DOCUMENT && bytes(text, begin, length) > MAX_DOCUMENT {
                        let place = self.place(span.end);
                        self.problems.push(&place, "the document that ends here is larger than 1 MiB", "split it");
                    }
                }
                Event::StreamEnd => return Ok(documents),
                other => {
                    let node = self.node(other, span, 0)?;
                    if node.value != Value::Null {
                        documents.push(node);
                    }
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Broken> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => Err(Some(error)),
            None => Err(None),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place::Text { file: Arc::clone(&self.file), line: narrow(marker.line()), column: narrow(marker.col() + 1) }
    }

    /// The node that begins with `event`.
    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Broken> {
        let place = self.place(span.start);
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_decoration(anchor, tag.as_deref(), &place);
                self.scalar(text, style, &place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.as_deref(), &place);
                self.list(&place, depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_decoration(anchor, tag.as_deref(), &place);
                self.map(&place, depth)?
            }
            Event::Alias(_) => {
                self.problems.push(&place, "aliases are not read", "write the value out");
                Value::Null
            }
            _ => return Err(None),
        };
        Ok(Node { value, place })
    }

    fn list(&mut self, place: &Place, depth: usize) -> Result<Value, Broken> {
        let mut items = Vec::new();
        if self.skipped_as_too_deep(place, depth)? {
            return Ok(Value::List(items));
        }
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, place: &Place, depth: usize) -> Result<Value, Broken> {
        let mut entries = Vec::new();
        let mut seen = HashSet::new();
        if self.skipped_as_too_deep(place, depth)? {
            return Ok(Value::Map(entries));
        }
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(entries));
            }
            let key_place = self.place(span.start);
            let key = self.key(event, span, depth)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(key) = key else { continue };
            if seen.insert(key.clone()) {
                entries.push(Entry { key, key_place, value });
            } else {
                self.problems.push(&key_place, format!("{} is written twice", quoted(&key)), "keep one of them");
            }
        }
    }

    /// The text of a key; `None`: it was refused (and told).
    fn key(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Option<String>, Broken> {
        let place = self.place(span.start);
        let Event::Scalar(text, style, anchor, tag) = event else {
            self.problems.push(&place, "a key must be a text", "");
            self.node(event, span, depth + 1)?;
            return Ok(None);
        };
        self.refuse_decoration(anchor, tag.as_deref(), &place);
        if style != ScalarStyle::Plain {
            return Ok(Some(text.into_owned()));
        }
        if text == "<<" {
            self.problems.push(&place, "merge keys are not read", "write the values out");
            return Ok(None);
        }
        let told = self.problems.0.len();
        match self.scalar(Cow::Borrowed(&*text), style, &place) {
            Value::String(_) | Value::Integer(_) | Value::Float(_) => {}
            _ if self.problems.0.len() > told => return Ok(None),
            _ => {
                self.problems.push(&place, format!("the key {} is not a text", quoted(&text)), "quote it");
                return Ok(None);
            }
        }
        Ok(Some(text.into_owned()))
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, place: &Place) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.into_owned());
        }
        if let Some(why) = disputed(&text) {
            self.problems.push(place, format!("{} {why}", quoted(&text)), "quote it");
            return Value::String(text.into_owned());
        }
        core(&text).unwrap_or_else(|| Value::String(text.into_owned()))
    }

    fn refuse_decoration(&mut self, anchor: usize, tag: Option<&Tag>, place: &Place) {
        if anchor != 0 {
            self.problems.push(place, "anchors are not read", "leave out the `&name`");
        }
        if let Some(tag) = tag {
            let shown = quoted(&tag.to_string());
            self.problems.push(place, format!("the tag {shown} is not read"), "leave it out");
        }
    }

    /// Skips the list or map that just began if it is too deep; the stack of this reader never grows beyond the limit.
    fn skipped_as_too_deep(&mut self, place: &Place, depth: usize) -> Result<bool, Broken> {
        if depth < MAX_DEPTH {
            return Ok(false);
        }
        self.problems.push(place, format!("nested deeper than {MAX_DEPTH}"), "");
        let mut open = 1usize;
        while open > 0 {
            match self.next()?.0 {
                Event::SequenceStart(..) | Event::MappingStart(..) => open += 1,
                Event::SequenceEnd | Event::MappingEnd => open -= 1,
                _ => {}
            }
        }
        Ok(true)
    }
}

fn bytes(text: &str, begin: usize, length: usize) -> usize {
    text.chars().skip(begin).take(length).map(char::len_utf8).sum()
}

/// Why a plain scalar does not mean the same to every reader; `None`: it does.
fn disputed(text: &str) -> Option<&'static str> {
    const WORDS: [&str; 6] = ["on", "off", "yes", "no", "y", "n"];
    if WORDS.iter().any(|w| text.eq_ignore_ascii_case(w)) {
        return Some("is a truth value to some readers and a text to others");
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut rest = digits.chars();
    let first = rest.next()?;
    if !first.is_ascii_digit() {
        return None;
    }
    let second = rest.next();
    let numeric = digits.chars().all(|c| c.is_ascii_digit() || c == '_' || c == ':');
    let octal = first == '0' && (matches!(second, Some('o' | 'b')) || numeric && second.is_some());
    // Groups of base 60 are never empty (YAML 1.1, int): `2001:db8::1` in digits alone is an address to everyone.
    let grouped = numeric && digits.contains(['_', ':']) && !digits.contains("::");
    (octal || grouped).then_some("is one number to some readers and another, or a text, to others")
}

/// The value of a plain scalar by the core schema (YAML 1.2.2, section 10.3.2); `None`: a text.
fn core(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return Some(Value::Float(f64::INFINITY)),
        "-.inf" | "-.Inf" | "-.INF" => return Some(Value::Float(f64::NEG_INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x") {
        return i64::from_str_radix(digits, 16).ok().filter(|n| *n >= 0).map(Value::Integer);
    }
    let first = unsigned.chars().next()?;
    let numeric = unsigned.chars().all(|c| matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
    if !numeric || !(first.is_ascii_digit() || first == '.') {
        return None;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit())
        && let Ok(n) = text.parse()
    {
        return Some(Value::Integer(n));
    }
    text.parse().ok().map(Value::Float)
}
