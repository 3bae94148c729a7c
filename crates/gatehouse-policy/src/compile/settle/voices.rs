//! Whose word decides each setting on one host, and whether that word weakens a mandate.

use std::collections::BTreeSet;

use crate::document::{Place, Problems, quoted};
use crate::spec::HostPattern;
use crate::spec::types::{Document, Rule, Tier};

use super::seen::Seen;
use super::strictness::{Setting, judges_as_much, reach};
use super::{Member, Part, ScopePlan, Voice};

/// How near a document stands to a host: the owner's own first. Documents of one level have no order among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Level {
    /// 0 for the deepest scope there can be; one more for each layer up; last those without hosts.
    layer: usize,
    /// The more exactly a document of one layer names the host, the nearer.
    vague: usize,
}

impl Level {
    /// Of documents without hosts.
    pub(super) const SHARED: Self = Self { layer: usize::MAX, vague: 0 };
}

/// The level of a document whose scope has `length` segments and that names the host with `exactness`.
pub(crate) fn near(length: usize, exactness: usize) -> Level {
    Level { layer: crate::spec::bounds::SCOPE.saturating_sub(length), vague: usize::MAX - exactness }
}

/// What was told already: one pair of places is one problem, however many hosts it concerns.
#[derive(Debug, Default)]
pub(super) struct Told(BTreeSet<(usize, usize, Setting)>);

impl Told {
    fn first(&mut self, a: usize, b: usize, setting: Setting) -> bool {
        self.0.insert((a, b, setting))
    }
}

/// The parts of a document that can hold for the host at all.
const fn all_parts(member: Member) -> &'static [Part] {
    if member.own { &[Part::Own, Part::Defaults, Part::Mandates] } else { &[Part::Defaults, Part::Mandates] }
}

/// One host with its documents, nearest first.
struct Host<'a> {
    documents: &'a [Document],
    members: &'a [(Member, Level)],
    /// `None`: every host that nobody claims.
    name: Option<&'a HostPattern>,
    told: &'a mut Told,
}

/// The plan of a host; `None`: no document holds for it.
pub(super) fn plan(
    documents: &[Document],
    members: &[(Member, Level)],
    name: Option<&HostPattern>,
    told: &mut Told,
    problems: &mut Problems,
) -> Option<ScopePlan> {
    let mut host = Host { documents, members, name, told };
    let (nearest, _) = members.first()?;
    let mut decide = |setting| host.decide(setting, problems);
    let [
        ambiguous,
        backend,
        client_address,
        client_key,
        direction,
        forward_canonical,
        identity_headers,
        require_mutual_tls,
        require_one_uri,
        otherwise,
        server_name,
        support,
    ] = Setting::ALL.map(&mut decide);
    host.keep_what_mandates_see(problems);
    let ambiguous_owner = ambiguous.map_or_else(|| host.strongest_nearest(nearest.document), |voice| voice.document);
    Some(ScopePlan {
        documents: members.iter().map(|(member, _)| *member).collect(),
        client_address,
        client_key,
        otherwise,
        ambiguous,
        backend,
        forward_canonical,
        support,
        identity_headers,
        require_mutual_tls,
        require_one_uri,
        direction,
        server_name,
        ambiguous_owner,
    })
}

impl<'a> Host<'a> {
    fn document(&self, index: usize) -> Option<&'a Document> {
        self.documents.get(index)
    }

    /// Its parts that may speak, the first that does wins: a document that names the host speaks for itself, one above speaks
    /// by its defaults first.
    fn parts(&self, member: Member, level: Level) -> &'static [Part] {
        let at_home = self.members.first().is_some_and(|(_, first)| first.layer == level.layer);
        match (member.own, at_home) {
            (true, true) => &[Part::Own, Part::Defaults],
            (true, false) => &[Part::Defaults, Part::Own],
            (false, _) => &[Part::Defaults],
        }
    }

    fn says(&self, setting: Setting, member: Member, parts: &[Part]) -> Option<Voice> {
        let document = self.document(member.document)?;
        let part = parts.iter().copied().find(|part| setting.place(part.of(document)).is_some())?;
        Some(Voice { document: member.document, part })
    }

    fn place(&self, setting: Setting, voice: Voice) -> Option<&'a Place> {
        setting.place(voice.settings(self.documents)?)
    }

    fn pair(&self, voice: Voice) -> Option<(&'a Document, Part)> {
        Some((self.document(voice.document)?, voice.part))
    }

    fn at_least(&self, setting: Setting, a: Voice, b: Voice) -> bool {
        self.pair(a).zip(self.pair(b)).is_some_and(|(a, b)| setting.at_least(a, b))
    }

    fn decide(&mut self, setting: Setting, problems: &mut Problems) -> Option<Voice> {
        self.tell_two_words(setting, problems);
        self.refuse_weakening(setting, &self.mandates(setting, self.members), problems);
        self.effective(setting, self.members)
    }

    /// Whose word decides if only these documents hold (nearest first).
    fn effective(&self, setting: Setting, members: &[(Member, Level)]) -> Option<Voice> {
        let base = self.nearest_word(setting, members);
        let mandates = self.mandates(setting, members);
        // The topmost mandate, then whatever is at least as strict on the way down.
        let (mut decided, top) = match mandates.last() {
            Some((voice, level)) => (*voice, *level),
            None => return base.map(|(voice, _)| voice),
        };
        for (voice, _) in mandates.iter().rev() {
            if self.at_least(setting, *voice, decided) {
                decided = *voice;
            }
        }
        let base = base.filter(|(voice, level)| {
            let stricter = !self.at_least(setting, decided, *voice);
            self.at_least(setting, *voice, decided) && (stricter || *level <= top)
        });
        Some(base.map_or(decided, |(voice, _)| voice))
    }

    /// The mandates of a setting, nearest first.
    fn mandates(&self, setting: Setting, members: &[(Member, Level)]) -> Vec<(Voice, Level)> {
        let said = |(member, level): &(Member, Level)| Some((self.says(setting, *member, &[Part::Mandates])?, *level));
        members.iter().filter_map(said).collect()
    }

    /// Every word, own or by defaults, nearest first.
    fn words(&self, setting: Setting, members: &[(Member, Level)]) -> impl Iterator<Item = (Voice, Level)> {
        members.iter().filter_map(move |(member, level)| {
            Some((self.says(setting, *member, self.parts(*member, *level))?, *level))
        })
    }

    fn nearest_word(&self, setting: Setting, members: &[(Member, Level)]) -> Option<(Voice, Level)> {
        self.words(setting, members).next()
    }

    /// Two different words on the nearest level that has one are a problem.
    fn tell_two_words(&mut self, setting: Setting, problems: &mut Problems) {
        let words: Vec<(Voice, Level)> = self.words(setting, self.members).collect();
        let Some((first, level)) = words.first().copied() else { return };
        for (voice, _) in words.iter().skip(1).take_while(|(_, other)| *other == level) {
            let same = self.pair(first).zip(self.pair(*voice)).is_some_and(|(a, b)| setting.same(a, b));
            if same || !self.told.first(first.document, voice.document, setting) {
                continue;
            }
            let (Some(first), Some(place)) = (self.place(setting, first), self.place(setting, *voice)) else {
                continue;
            };
            let host = self.name.map_or_else(|| "every host".to_owned(), |host| quoted(&host.to_string()));
            let message = format!("`{}` for {host} is said twice; first at {first}", setting.word());
            problems.push(place, message, "say it in one document only");
        }
    }

    fn refuse_weakening(&mut self, setting: Setting, mandates: &[(Voice, Level)], problems: &mut Problems) {
        for (mandate, above) in mandates {
            for (member, level) in self.members {
                for part in all_parts(*member) {
                    let Some(voice) = self.says(setting, *member, &[*part]) else { continue };
                    if level > above || voice == *mandate || self.at_least(setting, voice, *mandate) {
                        continue;
                    }
                    if !self.told.first(voice.document, mandate.document, setting) {
                        continue;
                    }
                    let (Some(place), Some(first)) = (self.place(setting, voice), self.place(setting, *mandate)) else {
                        continue;
                    };
                    let owner = self.document(mandate.document).map_or("", |document| &document.name);
                    let (how, help) = match setting.is_ordered() {
                        true => {
                            ("is weaker than", format!("leave it out, or be at least as strict: {}", setting.order()))
                        }
                        false => ("differs from", "leave it out".to_owned()),
                    };
                    let message = format!("`{}` here {how} the mandate of `{owner}` at {first}", setting.word());
                    problems.push(place, message, help);
                }
            }
        }
    }

    /// A rule among the mandates sees a client and a path as the layers up to its own let it; who stands below may change that
    /// only where one of them says so by `defaults`.
    fn keep_what_mandates_see(&mut self, problems: &mut Problems) {
        for (above, level) in self.members {
            let Some(document) = self.document(above.document) else { continue };
            for rule in document.rules.iter().filter(|rule| rule.tier == Tier::Mandate) {
                let seen = Seen::of(rule, document);
                for (setting, matters) in [
                    (Setting::ClientAddress, seen.address),
                    (Setting::ClientKey, seen.client),
                    (Setting::Backend, seen.path),
                ] {
                    if matters {
                        self.refuse_change(setting, (rule, above.document, &seen), *level, problems);
                    }
                }
            }
        }
    }

    fn refuse_change(
        &mut self,
        setting: Setting,
        (rule, owner, seen): (&Rule, usize, &Seen),
        level: Level,
        problems: &mut Problems,
    ) {
        let below = self.members.iter().take_while(|(_, other)| *other < level).count();
        let upper = self.members.get(below..).unwrap_or_default();
        if upper.iter().any(|(member, _)| self.says(setting, *member, &[Part::Defaults]).is_some()) {
            return;
        }
        let held = self.effective(setting, upper);
        for (member, _) in self.members.iter().filter(|(_, other)| *other < level) {
            // Each part by itself: a document may be strict on its own hosts and not so by `defaults` for those below it.
            for part in all_parts(*member) {
                let Some(voice) = self.says(setting, *member, &[*part]) else { continue };
                if !self.leaves_as_it_is(setting, voice, held, seen) && self.told.first(voice.document, owner, setting)
                {
                    self.tell_change(setting, voice, (rule, owner), problems);
                }
            }
        }
    }

    fn tell_change(&self, setting: Setting, voice: Voice, (rule, owner): (&Rule, usize), problems: &mut Problems) {
        let (Some(place), Some(document)) = (self.place(setting, voice), self.document(owner)) else { return };
        let message = format!(
            "`{}` here changes what the mandate `{}/{}` at {} sees",
            setting.word(),
            document.name,
            rule.name,
            rule.place
        );
        let help = format!("leave it out, or let `{}` allow it by saying it under `defaults`", document.name);
        problems.push(place, message, help);
    }

    fn leaves_as_it_is(&self, setting: Setting, voice: Voice, held: Option<Voice>, seen: &Seen) -> bool {
        if setting == Setting::Backend {
            let backend = |voice: Voice| voice.settings(self.documents)?.backend.as_ref().map(|(backend, _)| *backend);
            let before = held.and_then(backend).unwrap_or_default();
            let after = backend(voice).unwrap_or_default();
            // Where letters are not told apart, more paths are those that a match excepts, or that a mild answer is for.
            let excepts_more = seen.milder && after.case_insensitive != before.case_insensitive;
            return judges_as_much(&after, &before) && !excepts_more;
        }
        held.is_some_and(|held| self.pair(held).zip(self.pair(voice)).is_some_and(|(a, b)| setting.same(a, b)))
    }

    /// Among the documents of the nearest level that name the host, the one whose mode reaches furthest.
    fn strongest_nearest(&self, nearest: usize) -> usize {
        let own = self.members.iter().filter(|(member, _)| member.own);
        let Some((_, first)) = own.clone().next() else { return nearest };
        let level = own.filter(|(_, level)| level == first);
        let reach_of = |index: usize| self.document(index).map_or(0, |document| reach(document.mode));
        let mut strongest: Option<usize> = None;
        for (member, _) in level {
            if strongest.is_none_or(|before| reach_of(member.document) > reach_of(before)) {
                strongest = Some(member.document);
            }
        }
        strongest.unwrap_or(nearest)
    }
}
