//! Tables whose keys are numbers: sets, lists that the house fills, scores.

use super::{Search, Table};
use crate::image::{Section, lists, node, table};
use crate::matcher;

impl Search<'_, '_> {
    pub(super) fn numbers(&mut self, table: Table) {
        for at in table.keys.first..table.keys.first + table.keys.count {
            let [number, leads] = self.view.words(Section::Keys, at);
            let signals = self.facts.signals;
            let met = match table.kind {
                table::VERDICTS => signals.on_verdict_list(number as usize) == Some(true),
                table::SCORES => {
                    let label = (number >> 28).checked_sub(1).map(|label| label as u8);
                    signals.score(label).is_some_and(|score| score >= number & ((1 << 28) - 1))
                }
                _ => self.in_set(table.field, number as usize),
            };
            self.into.step();
            if met {
                self.follow(leads);
            }
        }
    }

    fn in_set(&self, field: u8, set: usize) -> bool {
        let (view, facts) = (self.view, self.facts);
        let number = |number: Option<u32>| number.is_some_and(|number| lists::holds_number(view, set, number));
        let text = |text: &[u8]| lists::holds_text(view, set, text);
        match field {
            node::ADDRESS => facts.address.is_some_and(|address| lists::holds_address(view, set, address)),
            node::ASN => number(facts.signals.place().and_then(|place| place.asn)),
            node::COUNTRY => number(facts.signals.place().and_then(|place| place.country).map(matcher::country)),
            node::FINGERPRINT => {
                facts.signals.fingerprint().is_some_and(|own| text(own.text().as_bytes()))
                    || facts.signals.ja4().is_some_and(|ja4| text(ja4.as_bytes()))
            }
            _ => matcher::peer(facts).is_some_and(|peer| lists::holds_identity(view, set, peer)),
        }
    }
}
