//! Texts, and the sections that are lists of them.

use super::{BLOCK, State};
use crate::image::{Section, View};
use crate::text;

/// The start of a character that the block before was cut in.
#[derive(Debug, Default)]
pub(super) struct Carry {
    start: usize,
}

impl Carry {
    pub(super) fn is_whole(&self) -> bool {
        self.start == 0
    }
}

/// The strings as a whole are UTF-8; a block may end within a character.
pub(super) fn strings(state: &mut State, view: &View, block: usize) -> bool {
    let strings = view.strings();
    let end = strings.len().min((block + 1) * BLOCK);
    let begin = block * BLOCK - state.texts.start;
    state.texts.start = 0;
    match core::str::from_utf8(strings.get(begin..end).unwrap_or_default()) {
        Ok(_) => true,
        Err(error) if error.error_len().is_none() && end - begin > error.valid_up_to() => {
            state.texts.start = end - begin - error.valid_up_to();
            end < strings.len()
        }
        Err(_) => false,
    }
}

/// Text of at most `most` bytes that lies within the strings, on character borders. The bound keeps the whole check linear,
/// however often an image points at the same bytes.
pub(super) fn has(view: &View, section: Section, index: usize, word: usize, most: usize) -> bool {
    let offset = view.index(section, index, word);
    let length = view.index(section, index, word + 1);
    let strings = view.strings();
    let border = |at: usize| at == strings.len() || strings.get(at).is_some_and(|byte| byte & 0xC0 != 0x80);
    length <= most
        && offset.checked_add(length).is_some_and(|end| end <= strings.len() && border(offset) && border(end))
}

/// The entry follows the one before in the order of their texts.
fn sorted(view: &View, section: Section, index: usize) -> bool {
    let own = view.text_bytes(section, index, 0);
    index.checked_sub(1).is_none_or(|before| view.text_bytes(section, before, 0) < own)
}

pub(super) fn claim(_: &mut State, view: &View, index: usize) -> bool {
    has(view, Section::Claims, index, 0, text::MAX_VALUE) && sorted(view, Section::Claims, index)
}

pub(super) fn label(_: &mut State, view: &View, index: usize) -> bool {
    let few = view.count(Section::Labels) <= crate::image::MAX_LABELS;
    few && has(view, Section::Labels, index, 0, text::MAX_NAME) && sorted(view, Section::Labels, index)
}

pub(super) fn verdict_list(_: &mut State, view: &View, index: usize) -> bool {
    has(view, Section::VerdictLists, index, 0, 2 * text::MAX_NAME) && sorted(view, Section::VerdictLists, index)
}

pub(super) fn set_header(_: &mut State, view: &View, index: usize) -> bool {
    has(view, Section::SetHeaders, index, 0, text::MAX_VALUE)
        && sorted(view, Section::SetHeaders, index)
        && text::may_be_tagged(view.text(Section::SetHeaders, index, 0))
}

/// Names of headers and query parameters.
pub(super) fn name(_: &mut State, view: &View, index: usize) -> bool {
    has(view, Section::Names, index, 0, text::MAX_VALUE)
}

/// Header names and values of answers.
pub(super) fn pair(_: &mut State, view: &View, index: usize) -> bool {
    has(view, Section::Pairs, index, 0, text::MAX_VALUE)
        && has(view, Section::Pairs, index, 2, text::MAX_VALUE)
        && text::may_be_answered(view.text(Section::Pairs, index, 0))
        && text::is_header_value(view.text(Section::Pairs, index, 2))
}
