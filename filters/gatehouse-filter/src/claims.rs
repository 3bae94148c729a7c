//! Claims of the token that Envoy verified, as its filter left them in the request's metadata: exactly those that the policy in
//! force reads, asked in one call.

use gatehouse_engine::{Claims, Pair, Policy};

use crate::cel::{Answers, Attribute, Table};
use crate::host::{self, Pairs};

/// Answers for one claim, in this order: a text, a number, and whether it is a list.
const COLUMNS: usize = 3;
const TEXT: usize = 0;
const NUMBER: usize = 1;
const LIST: usize = 2;

/// Where Envoy leaves a verified token: its filter's name in the metadata, and the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The filter's name.
    pub filter: String,
    /// The field in what it leaves.
    pub field: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { filter: "envoy.filters.http.jwt_authn".to_owned(), field: "payload".to_owned() }
    }
}

/// Asks for the claims of one policy.
#[derive(Debug)]
pub struct Reader {
    place: Place,
    /// The policy that the table was made for.
    digest: [u8; 32],
    names: Vec<String>,
    table: Option<Table>,
    /// A policy that reads claims met a request without any metadata of a token.
    pub missed: bool,
}

/// What was asked of one request.
#[derive(Debug)]
pub enum Asked {
    /// Nothing verified a token, or the policy reads none.
    Unknown,
    /// Numbers of claims in the policy, each with a value that it has.
    Known(Vec<(usize, Vec<u8>)>),
}

impl Reader {
    /// Reads claims at `place`.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, digest: [0; 32], names: Vec::new(), table: None, missed: false }
    }

    /// Asks about the current request; costs nothing where the policy reads no claim.
    pub fn ask(&mut self, policy: &Policy) -> Asked {
        if self.digest != policy.digest() {
            self.take(policy);
        }
        let Some(table) = &mut self.table else { return Asked::Unknown };
        let answers = table.ask();
        if answers.bytes(0).is_none() {
            self.missed = true;
            return Asked::Unknown;
        }
        let mut values = Vec::new();
        for (claim, name) in self.names.iter().enumerate() {
            self.read(&answers, claim, name, &mut values);
        }
        Asked::Known(values)
    }

    /// The claims as pairs; they live as long as the answers.
    pub fn pairs<'a>(&'a self, asked: &'a Asked) -> Option<Vec<Pair<'a>>> {
        let Asked::Known(values) = asked else { return None };
        let pair = |(claim, value): &'a (usize, Vec<u8>)| Some((self.names.get(*claim)?.as_bytes(), value.as_slice()));
        Some(values.iter().filter_map(pair).collect())
    }

    /// Gives back what Envoy holds for us.
    pub fn release(&mut self) {
        if let Some(table) = &mut self.table {
            table.release();
        }
        self.table = None;
        self.digest = [0; 32];
    }

    fn take(&mut self, policy: &Policy) {
        self.release();
        self.digest = policy.digest();
        self.names = policy.claims().to_vec();
        if self.names.is_empty() {
            return;
        }
        let token = Token::new(&self.place);
        let columns = self.names.iter().flat_map(|name| token.columns(name));
        self.table = Some(Table::new(core::iter::once(token.presence()).chain(columns).collect()));
    }

    fn read(&self, answers: &Answers, claim: usize, name: &str, values: &mut Vec<(usize, Vec<u8>)>) {
        let column = |kind: usize| answers.bytes(1 + claim * COLUMNS + kind);
        if let Some(text) = column(TEXT) {
            values.push((claim, text.to_vec()));
        } else if let Some(number) = column(NUMBER) {
            values.extend(self::number(number).map(|text| (claim, text)));
        } else if let Some(kind) = column(LIST) {
            let parts: Vec<&str> = if kind == b"n" { name.split('.').collect() } else { vec![name] };
            let place = ["metadata", "filter_metadata", &self.place.filter, &self.place.field];
            let path: Vec<&str> = place.into_iter().chain(parts).collect();
            let list = host::property(&path.join("\0")).ok().flatten().and_then(Pairs::parse).unwrap_or_default();
            values.extend(list.iter().map(|(value, _)| (claim, element(value))));
        }
    }
}

impl Asked {
    /// For the engine.
    pub fn claims<'a>(pairs: Option<&'a [Pair<'a>]>) -> Claims<'a> {
        pairs.map_or(Claims::Unknown, Claims::Known)
    }
}

/// A number of a token as its issuer wrote it, as far as a token's numbers are exact (RFC 8259, 6).
fn number(bytes: &[u8]) -> Option<Vec<u8>> {
    let number = f64::from_le_bytes(bytes.try_into().ok()?);
    number.is_finite().then(|| number.to_string().into_bytes())
}

/// An element of a list. Envoy tells no types here: eight bytes that are no text are a number, one is a truth value.
fn element(value: &[u8]) -> Vec<u8> {
    let is_text = !value.iter().any(u8::is_ascii_control) && core::str::from_utf8(value).is_ok();
    match value {
        [0] => b"false".to_vec(),
        [1] => b"true".to_vec(),
        _ if is_text => value.to_vec(),
        _ => number(value).unwrap_or_else(|| value.to_vec()),
    }
}

/// CEL for a token at a place.
struct Token {
    is: String,
    at: String,
}

impl Token {
    fn new(place: &Place) -> Self {
        let (filter, field) = (quoted(&place.filter), quoted(&place.field));
        let metadata = format!("metadata.filter_metadata[{filter}]");
        Self {
            is: format!("{filter} in metadata.filter_metadata && {field} in {metadata}"),
            at: format!("{metadata}[{field}]"),
        }
    }

    fn presence(&self) -> Attribute {
        Attribute { expression: format!("({}) ? 'y' : ''", self.is), path: String::new() }
    }

    /// The claim by its whole name; where the token has none such, a dot leads into a claim that is an object.
    fn columns(&self, name: &str) -> [Attribute; COLUMNS] {
        let whole = self.reach([name].into_iter());
        let nested = name.contains('.').then(|| self.reach(name.split('.')));
        let column = |kind: &dyn Fn(&str, &str) -> String| {
            let otherwise = nested
                .as_ref()
                .map_or_else(|| "''".to_owned(), |(is, at)| format!("(({is}) ? ({}) : '')", kind(at, "n")));
            let expression = format!("({}) ? ({}) : {otherwise}", whole.0, kind(&whole.1, "w"));
            Attribute { expression, path: String::new() }
        };
        [
            column(&|at, _| {
                format!("type({at}) == string ? {at} : (type({at}) == bool ? ({at} ? 'true' : 'false') : '')")
            }),
            column(&|at, _| format!("type({at}) == double ? {at} : ''")),
            column(&|at, mark| format!("type({at}) == list ? '{mark}' : ''")),
        ]
    }

    /// Whether there is such a claim, and where.
    fn reach<'n>(&self, names: impl Iterator<Item = &'n str>) -> (String, String) {
        let (mut is, mut at) = (self.is.clone(), self.at.clone());
        for name in names {
            let name = quoted(name);
            is = format!("{is} && {name} in {at}");
            at = format!("{at}[{name}]");
        }
        (is, at)
    }
}

/// A CEL text. Names come from the operator; what could end the text is escaped all the same.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for character in text.chars().filter(|character| !character.is_control()) {
        if matches!(character, '\'' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_end_the_text_that_they_stand_in() {
        assert_eq!(quoted("a'b\\c\n"), "'a\\'b\\\\cc'".replace("cc", "c"));
    }

    #[test]
    fn a_claim_is_asked_for_only_where_the_token_has_it() {
        let columns = Token::new(&Place::default()).columns("realm.role");
        assert_eq!(columns.len(), COLUMNS);
        let expression = &columns[TEXT].expression;
        for part in [
            "'realm.role' in metadata.filter_metadata['envoy.filters.http.jwt_authn']['payload']",
            "'realm' in metadata.filter_metadata['envoy.filters.http.jwt_authn']['payload'] &&",
            "['payload']['realm']['role']",
        ] {
            assert!(expression.contains(part), "{part}: {expression}");
        }
        let plain = Token::new(&Place::default()).columns("sub");
        assert!(!plain[TEXT].expression.contains("((("), "{}", plain[TEXT].expression);
    }

    #[test]
    fn numbers_are_written_as_their_issuer_would() {
        for (value, text) in [(1_234_567_890.0, "1234567890"), (0.5, "0.5"), (-3.0, "-3")] {
            let bytes = f64::to_le_bytes(value);
            assert_eq!(number(&bytes).as_deref(), Some(text.as_bytes()));
            assert_eq!(element(&bytes), text.as_bytes());
        }
        assert_eq!(number(&f64::NAN.to_le_bytes()), None);
        assert_eq!(
            (element(b"admin-eu"), element(&[1]), element(b"")),
            (b"admin-eu".to_vec(), b"true".to_vec(), vec![])
        );
    }
}
