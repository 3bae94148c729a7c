//! What a document may say: of connections (`kind: TcpPolicy`) only what is known before a byte of them goes on, and what can be
//! done then; of requests (`kind: Policy`) everything else.

use crate::compile::{Setting, fields_read};
use crate::document::{Place, Problems};

use super::types::{Action, Condition, Document, Effect, Rule, Settings, Then, Traffic};

pub(super) fn check(document: &Document, problems: &mut Problems) {
    let of = match document.traffic {
        Traffic::Connections => Kind::CONNECTIONS,
        Traffic::Requests => Kind::REQUESTS,
    };
    for settings in [&document.own, &document.defaults, &document.mandates] {
        of.settings(settings, problems);
    }
    for rule in &document.rules {
        of.rule(rule, document, problems);
    }
    if document.traffic == Traffic::Connections {
        let packs = document.uses.iter().map(|used| (&used.place, "`use`"));
        let scores = document.half_life.iter().map(|(_, place)| (place, "`scores`"));
        for (place, word) in packs.chain(scores) {
            of.refuse(place, word, problems);
        }
    }
}

/// What one kind of document may say.
struct Kind {
    settings: fn(Setting) -> bool,
    leaf: fn(&Condition) -> bool,
    action: fn(&Action) -> bool,
    effect: fn(&Effect) -> bool,
    limits: bool,
    message: &'static str,
    help: &'static str,
}

impl Kind {
    const CONNECTIONS: Self = Self {
        settings: |setting| matches!(setting, Setting::MutualTls | Setting::OneUri | Setting::Otherwise),
        leaf: is_of_connection,
        action: |action| matches!(action, Action::Allow | Action::Reject),
        effect: |effect| matches!(effect, Effect::Record),
        limits: false,
        message: "a `TcpPolicy` speaks of connections",
        help: "match `identity`, `serviceAccounts`, `address`, `destination`, `host`, `port`, `sni`, `tls`, `country`, `asn`, `time` or \
               `verdict`, and `allow` or `reject`; what reads requests is a `kind: Policy`",
    };

    const REQUESTS: Self = Self {
        settings: |_| true,
        leaf: |leaf| !matches!(leaf, Condition::Destination(_)),
        action: |action| !matches!(action, Action::Reject),
        effect: |_| true,
        limits: true,
        message: "a `Policy` speaks of requests",
        help: "write it in a `kind: TcpPolicy`; a request is ended by `block` or `drop`",
    };

    fn settings(&self, settings: &Settings, problems: &mut Problems) {
        for setting in Setting::ALL.into_iter().filter(|setting| !(self.settings)(*setting)) {
            if let Some(place) = setting.place(settings) {
                self.refuse(place, &format!("`{}`", setting.word()), problems);
            }
        }
        if let Some((then, place)) = &settings.otherwise {
            self.then(then, place, problems);
        }
    }

    fn rule(&self, rule: &Rule, document: &Document, problems: &mut Problems) {
        let mut foreign = None;
        rule.condition.each_leaf(&mut |leaf| {
            if !(self.leaf)(leaf) {
                foreign = foreign.or_else(|| fields_read(leaf, document).iter().next());
            }
        });
        if let Some(field) = foreign {
            self.refuse(&rule.place, &format!("`{}` of the rule `{}`", field.as_str(), rule.name), problems);
        }
        if rule.limit.is_some() && !self.limits {
            self.refuse(&rule.place, &format!("`limit` of the rule `{}`", rule.name), problems);
        }
        self.then(&rule.then, &rule.place, problems);
    }

    fn then(&self, then: &Then, place: &Place, problems: &mut Problems) {
        let action = then.decides.as_ref().filter(|action| !(self.action)(action)).map(Action::word);
        let effect = then.effects.iter().find(|effect| !(self.effect)(effect)).map(Effect::word);
        if let Some(word) = action.or(effect) {
            self.refuse(place, &format!("`{word}`"), problems);
        }
    }

    fn refuse(&self, place: &Place, what: &str, problems: &mut Problems) {
        problems.push(place, format!("{what} has no place here: {}", self.message), self.help);
    }
}

/// It is known of a connection before a byte of it goes on.
fn is_of_connection(leaf: &Condition) -> bool {
    use Condition as C;
    matches!(
        leaf,
        C::All(_)
            | C::Always
            | C::Any(_)
            | C::Not(_)
            | C::Address(_)
            | C::Asn(_)
            | C::AsnList(_)
            | C::Country(_)
            | C::CountryList(_)
            | C::Destination(_)
            | C::Host(_)
            | C::Identity(_)
            | C::IdentityList(_)
            | C::NoIdentity
            | C::Port(_)
            | C::Sni(_)
            | C::Time(_)
            | C::TlsMutual(_)
            | C::TlsVersion(_)
            | C::Verdict(_)
    )
}
