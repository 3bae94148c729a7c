//! Scopes, hosts, and whose word decides each setting, written.

use crate::Reads;
use crate::document::Problems;
use crate::image::check::MAX_TRUSTED;
use crate::image::{Builder, CONNECTION_MARK, Section, client as c, lists, narrow, scope as s};
use crate::index::keys;
use crate::spec::HostPattern;
use crate::spec::types::{
    AddressFrom, Ambiguous, Backend, ClientAddress, ClientKey, Direction, Document, Parameters, Rollout, Rule,
    ServerName, Settings, Trust,
};

use super::super::settle::{Ground, Part, ScopePlan, Settled, Voice};
use super::{Vocabulary, member_word, thens};

/// Writes every scope, the one for unclaimed hosts first, and the hosts.
pub(super) fn write(documents: &[Document], settled: &Settled, vocabulary: &Vocabulary, builder: &mut Builder) {
    // The client of a scope where nobody says who it is: the peer, and nobody is trusted.
    builder.push(Section::Clients, &[c::PEER, 0, 0, c::NOBODY, 0]);
    let scopes = settled.first_of_connections() + 1 + settled.connections.scopes.len();
    for _ in 0..scopes {
        builder.push(Section::Scopes, &[0; s::WORDS]);
    }
    for (number, plan) in settled.plans() {
        let words = Plan { documents, plan, vocabulary }.words(builder);
        for (word, value) in words.into_iter().enumerate() {
            builder.set(Section::Scopes, narrow(number), word, value);
        }
    }
    write_hosts(settled, builder);
}

/// Networks of trusted proxies are decoded when a policy is loaded, in one short step: not too many.
pub(super) fn limit_trust(documents: &[Document], problems: &mut Problems) {
    let settings = documents.iter().flat_map(|document| [&document.own, &document.defaults, &document.mandates]);
    for (client, place) in settings.filter_map(|settings| settings.client_address.as_ref()) {
        if let Trust::Networks(networks) = &client.trust
            && networks.len() > MAX_TRUSTED
            && lists::disjoint(networks).len() > MAX_TRUSTED
        {
            let help = "name larger networks";
            problems.push(place, format!("`trust` holds more than {MAX_TRUSTED} networks"), help);
        }
    }
}

/// Hosts by hash; the buckets of the hashes are the first of all buckets. Hosts of connections end in a mark that no host of a
/// request has.
fn write_hosts(settled: &Settled, builder: &mut Builder) {
    let of = |ground: &Ground, first: usize, mark: &str| -> Vec<(String, u32)> {
        let hosts = ground.hosts.iter().map(|(host, scope)| {
            let (HostPattern::Exact(text) | HostPattern::Under(text)) = host;
            ([text.as_str(), mark].concat(), narrow(first + 1 + scope))
        });
        hosts.collect()
    };
    let mut hosts = of(&settled.requests, 0, "");
    hosts.extend(of(&settled.connections, settled.first_of_connections(), CONNECTION_MARK));
    let entries = hosts.iter().map(|(host, scope)| (keys::reversed(host.as_bytes()), (host.as_str(), *scope)));
    keys::write_hosts(entries.collect(), builder);
}

/// What stands behind the gate there reads paths in any letter case.
pub(super) fn is_case_insensitive(documents: &[Document], plan: &ScopePlan) -> bool {
    Plan { documents, plan, vocabulary: &Vocabulary::default() }.backend().is_some_and(|b| b.case_insensitive)
}

struct Plan<'p> {
    documents: &'p [Document],
    plan: &'p ScopePlan,
    vocabulary: &'p Vocabulary,
}

/// The words of a scope.
struct Words([u32; s::WORDS]);

impl Words {
    fn set(&mut self, word: usize, value: u32) {
        if let Some(slot) = self.0.get_mut(word) {
            *slot = value;
        }
    }

    fn pair(&mut self, word: usize, [first, second]: [u32; 2]) {
        self.set(word, first);
        self.set(word + 1, second);
    }
}

impl<'p> Plan<'p> {
    fn document(&self, index: usize) -> Option<&'p Document> {
        self.documents.get(index)
    }

    /// The settings of a voice, and the number of its document.
    fn said(&self, voice: Option<Voice>) -> Option<(&'p Settings, u32)> {
        let voice = voice?;
        let document = self.document(voice.document)?;
        let settings = match voice.part {
            Part::Own => &document.own,
            Part::Defaults => &document.defaults,
            Part::Mandates => &document.mandates,
        };
        Some((settings, narrow(voice.document)))
    }

    /// A document in canary counts as in monitor mode for its settings.
    fn mode(&self, document: u32) -> u32 {
        match self.document(document as usize).map(|document| document.mode) {
            Some(Rollout::Monitor | Rollout::Canary(_)) => s::MONITOR,
            _ => s::ENFORCE,
        }
    }

    fn words(&self, builder: &mut Builder) -> [u32; s::WORDS] {
        let mut out = Words([0; s::WORDS]);
        out.set(s::FIRST_MEMBER, builder.count(Section::Members));
        out.set(s::MEMBERS, narrow(self.plan.documents.len()));
        for at in 0..self.plan.documents.len() {
            builder.push(Section::Members, &[member_word(self.plan, at)]);
        }
        let keys = self.client_keys(builder);
        out.set(s::CLIENT, self.client(builder));
        out.pair(s::FIRST_KEY, keys);
        let reads = self.reads();
        out.set(s::REQUEST_READS, reads.request.bits());
        out.set(s::RESPONSE_READS, reads.response.bits());
        if let Some((settings, owner)) = self.said(self.plan.otherwise)
            && let Some((then, _)) = &settings.otherwise
        {
            out.set(s::OTHERWISE, thens::write(then, self.vocabulary, builder) + 1);
            out.set(s::OTHERWISE_MODE, self.mode(owner));
            out.set(s::OTHERWISE_OWNER, owner);
        }
        let owner = narrow(self.plan.ambiguous_owner);
        out.set(s::AMBIGUOUS, self.ambiguous());
        out.set(s::AMBIGUOUS_MODE, self.mode(owner));
        out.set(s::AMBIGUOUS_OWNER, owner);
        out.set(s::BACKEND, backend_word(self.backend()));
        out.set(s::OWNER, self.deepest());
        let flags = s::COVERED | self.responds() | self.canonical();
        let flags = flags | self.support(&mut out, builder) | self.names(&mut out, builder) | self.mutual_tls(&mut out);
        let flags = flags | self.one_uri(&mut out) | self.server_name(&mut out, builder) | self.direction();
        out.set(s::FLAGS, flags);
        out.0
    }

    /// Writes who is told of where to find help; gives the flags.
    fn support(&self, out: &mut Words, builder: &mut Builder) -> u32 {
        let said = self.said(self.plan.support).and_then(|(settings, _)| settings.support.as_ref());
        let Some((support, _)) = said else { return 0 };
        let mut flags = 0;
        for (word, flag, text) in
            [(s::SUPPORT_TEXT, s::HAS_TEXT, &support.text), (s::SUPPORT_LINK, s::HAS_LINK, &support.link)]
        {
            out.pair(word, builder.text(text.as_deref().unwrap_or_default()));
            flags |= text.as_ref().map_or(0, |_| flag);
        }
        flags
    }

    /// Writes the headers that only a trusted proxy may set; gives the flags.
    fn names(&self, out: &mut Words, builder: &mut Builder) -> u32 {
        let Some((settings, owner)) = self.said(self.plan.identity_headers) else { return 0 };
        let Some((headers, _)) = &settings.identity_headers else { return 0 };
        out.pair(s::FIRST_NAME, thens::write_names(&headers.names, builder));
        out.set(s::NAMES_MODE, self.mode(owner));
        out.set(s::NAMES_OWNER, owner);
        s::HAS_NAMES | if headers.refuse { s::NAMES_REFUSED } else { 0 }
    }

    /// Writes who asks for a verified peer; gives the flag.
    fn mutual_tls(&self, out: &mut Words) -> u32 {
        let Some((settings, owner)) = self.said(self.plan.require_mutual_tls) else { return 0 };
        if !matches!(settings.require_mutual_tls, Some((true, _))) {
            return 0;
        }
        out.set(s::MTLS_MODE, self.mode(owner));
        out.set(s::MTLS_OWNER, owner);
        s::NEEDS_MTLS
    }

    /// Writes who asks for one URI of a peer; gives the flag.
    fn one_uri(&self, out: &mut Words) -> u32 {
        let Some((settings, owner)) = self.said(self.plan.require_one_uri) else { return 0 };
        if !matches!(settings.require_one_uri, Some((true, _))) {
            return 0;
        }
        out.set(s::URI_MODE, self.mode(owner));
        out.set(s::URI_OWNER, owner);
        s::NEEDS_ONE_URI
    }

    /// Writes which server names a connection may have beside its host's; gives the flag. Where nobody says anything it must be
    /// the host's, in the words of the document that answers for what is refused unread.
    fn server_name(&self, out: &mut Words, builder: &mut Builder) -> u32 {
        let said = self.said(self.plan.server_name);
        let (check, owner) = match said.and_then(|(settings, owner)| Some((&settings.server_name.as_ref()?.0, owner))) {
            Some((ServerName::Any, _)) => return 0,
            Some((ServerName::Match { own }, owner)) => (own.as_slice(), owner),
            None => (&[][..], narrow(self.plan.ambiguous_owner)),
        };
        let own: Vec<String> =
            check.iter().map(|(HostPattern::Exact(name) | HostPattern::Under(name))| name.clone()).collect();
        out.pair(s::FIRST_OWN, thens::write_names(&own, builder));
        out.set(s::SERVER_MODE, self.mode(owner));
        out.set(s::SERVER_OWNER, owner);
        s::SERVER_NAMED
    }

    fn direction(&self) -> u32 {
        let said = self.said(self.plan.direction).and_then(|(settings, _)| settings.direction.as_ref());
        if matches!(said, Some((Direction::Egress, _))) { s::EGRESS } else { 0 }
    }

    fn client(&self, builder: &mut Builder) -> u32 {
        let said = self.said(self.plan.client_address).and_then(|(settings, _)| settings.client_address.as_ref());
        said.map_or(0, |(client, _)| write_client(client, builder))
    }

    fn client_keys(&self, builder: &mut Builder) -> [u32; 2] {
        let first = builder.count(Section::ClientKeys);
        let said = self.said(self.plan.client_key).and_then(|(settings, _)| settings.client_key.as_ref());
        for key in said.iter().flat_map(|(keys, _)| keys) {
            let words = match key {
                ClientKey::Address => [c::KEY_ADDRESS, 0],
                ClientKey::Identity => [c::KEY_IDENTITY, 0],
                ClientKey::Claim(name) => [c::KEY_CLAIM, self.vocabulary.claim(name)],
            };
            builder.push(Section::ClientKeys, &words);
        }
        [first, builder.count(Section::ClientKeys) - first]
    }

    fn ambiguous(&self) -> u32 {
        let said = self.said(self.plan.ambiguous).and_then(|(settings, _)| settings.ambiguous.as_ref());
        match said {
            Some((Ambiguous::Strictest, _)) => s::AMBIGUOUS_STRICTEST,
            Some((Ambiguous::Reject, _)) => s::AMBIGUOUS_REJECT,
            None => s::AMBIGUOUS_BY_KIND,
        }
    }

    fn backend(&self) -> Option<Backend> {
        let said = self.said(self.plan.backend).and_then(|(settings, _)| settings.backend.as_ref());
        said.map(|(backend, _)| *backend)
    }

    fn canonical(&self) -> u32 {
        let said = self.said(self.plan.forward_canonical).and_then(|(settings, _)| settings.forward_canonical.as_ref());
        if said.is_some_and(|(canonical, _)| *canonical) { s::FORWARD_CANONICAL } else { 0 }
    }

    /// The rules that are asked, with their documents.
    fn rules(&self) -> impl Iterator<Item = (&'p Document, &'p Rule)> {
        let members =
            self.plan.documents.iter().filter_map(|member| Some((member.own, self.document(member.document)?)));
        members.flat_map(|(own, document)| {
            let asked = move |rule: &&Rule| own || super::holds_below(rule.tier);
            document.rules.iter().filter(asked).map(move |rule| (document, rule))
        })
    }

    fn responds(&self) -> u32 {
        if self.rules().any(|(_, rule)| rule.on_response) { s::RESPONDS } else { 0 }
    }

    fn reads(&self) -> Reads {
        let mut reads = Reads::default();
        for (document, rule) in self.rules() {
            let fields = super::reads::of(rule, document);
            if rule.on_response {
                reads.response |= fields;
            } else {
                reads.request |= fields;
            }
        }
        reads
    }

    /// The document that stands deepest; of equals the first by name.
    fn deepest(&self) -> u32 {
        let members = self.plan.documents.iter().map(|member| member.document);
        let layer = |index: usize| self.document(index).map_or(0, |document| document.layer);
        members.max_by_key(|index| (layer(*index), core::cmp::Reverse(*index))).map_or(0, narrow)
    }
}

fn write_client(client: &ClientAddress, builder: &mut Builder) -> u32 {
    let (source, [offset, length]) = match &client.from {
        AddressFrom::XForwardedFor => (c::FORWARDED_FOR, [0; 2]),
        AddressFrom::Forwarded => (c::FORWARDED, [0; 2]),
        AddressFrom::Header(name) => (c::BY_HEADER, builder.text(name)),
        AddressFrom::Peer => (c::PEER, [0; 2]),
    };
    let (trust, trusted) = match &client.trust {
        Trust::Networks(networks) if networks.is_empty() => (c::NOBODY, 0),
        Trust::Networks(networks) => (c::NETWORKS, lists::write_networks(networks, builder)),
        Trust::Hops(hops) => (c::HOPS, u32::from(*hops)),
    };
    let words = [source, offset, length, trust, trusted];
    let key = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    builder.once(Section::Clients, key, |builder| builder.push(Section::Clients, &words))
}

fn backend_word(backend: Option<Backend>) -> u32 {
    let backend = backend.unwrap_or(Backend { case_insensitive: false, decodes: 1, parameters: Parameters::Both });
    let parameters = match backend.parameters {
        Parameters::Both => 0,
        Parameters::Ignored => 1,
        Parameters::Kept => 2,
    };
    u32::from(backend.case_insensitive) | u32::from(backend.decodes) << 8 | parameters << 16
}
