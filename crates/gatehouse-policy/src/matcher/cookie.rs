//! `cookies`: every value of a name, over all cookie headers, on every reading.

use super::readings::{cookies, of_cookie, of_cookie_name};
use super::{Facts, Leaf, Truth, text};
use crate::Field;
use crate::image::node;

pub(super) fn holds(leaf: Leaf<'_>, facts: &Facts<'_>) -> Truth {
    let name = leaf.text(node::A);
    let mut some = false;
    for (written, value) in cookies(&facts.head) {
        some = true;
        let named = of_cookie_name(written).any(|reading| reading.is(name));
        if named && of_cookie(value).any(|reading| text::holds(leaf, reading)) {
            return Truth::True;
        }
    }
    if some || facts.known.has(Field::Cookies) { Truth::False } else { Truth::Unknown }
}
