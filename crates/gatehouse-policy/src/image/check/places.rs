//! Documents, scopes, hosts and clients.

use gatehouse_signals::Source;

use super::{State, option, range, texts};
use crate::image::{MEMBER_OWN, META_CONNECTIONS, Section, View, client, document, scope};
use crate::text;

/// Longest scope: four names and the slashes between them.
const MAX_SCOPE: usize = 4 * (text::MAX_NAME + 1);
/// Most headers that only a trusted proxy may set.
const MAX_NAMES: usize = 4096;
/// Most networks of trusted proxies: they are decoded when a policy is loaded, as one step.
pub(crate) const MAX_TRUSTED: usize = 4096;
/// Most keys that a client is told by.
const MAX_KEYS: usize = 64;

pub(super) fn document(_: &mut State, view: &View, index: usize) -> bool {
    texts::has(view, Section::Documents, index, document::NAME, text::MAX_NAME)
        && text::is_name(view.text(Section::Documents, index, document::NAME))
        && texts::has(view, Section::Documents, index, document::SCOPE, MAX_SCOPE)
}

pub(super) fn root(_: &mut State, view: &View, index: usize) -> bool {
    (0..2).all(|phase| option(view, Section::Roots, index, phase, Section::Shelves))
}

pub(super) fn member(_: &mut State, view: &View, index: usize) -> bool {
    let member = view.word(Section::Members, index, 0) & !MEMBER_OWN;
    (member as usize) < view.count(Section::Documents)
}

pub(super) fn scope(_: &mut State, view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Scopes, index, w);
    let within = |w, section, most| range(view, Section::Scopes, index, w, section, most);
    let covered = word(scope::FLAGS) & scope::COVERED != 0;
    let named = |w| !covered || (word(w) as usize) < view.count(Section::Documents);
    let text = |w, most| texts::has(view, Section::Scopes, index, w, most);
    let modes = [
        scope::OTHERWISE_MODE,
        scope::AMBIGUOUS_MODE,
        scope::NAMES_MODE,
        scope::MTLS_MODE,
        scope::SERVER_MODE,
        scope::URI_MODE,
    ];
    let owners = [
        scope::OTHERWISE_OWNER,
        scope::AMBIGUOUS_OWNER,
        scope::NAMES_OWNER,
        scope::MTLS_OWNER,
        scope::OWNER,
        scope::SERVER_OWNER,
        scope::URI_OWNER,
    ];
    let connections = view.index(Section::Meta, 0, META_CONNECTIONS);
    (index == 0 || index == connections || covered)
        && word(scope::FLAGS) <= scope::ALL_FLAGS
        && within(scope::FIRST_MEMBER, Section::Members, usize::MAX)
        && within(scope::FIRST_KEY, Section::ClientKeys, MAX_KEYS)
        && within(scope::FIRST_ROOT, Section::Roots, usize::MAX)
        && within(scope::FIRST_NAME, Section::Names, MAX_NAMES)
        && within(scope::FIRST_OWN, Section::Names, MAX_NAMES)
        && (word(scope::CLIENT) as usize) < view.count(Section::Clients)
        && option(view, Section::Scopes, index, scope::OTHERWISE, Section::Thens)
        && modes.into_iter().all(|w| word(w) <= scope::MONITOR)
        && owners.into_iter().all(named)
        && word(scope::AMBIGUOUS) <= scope::AMBIGUOUS_REJECT
        && word(scope::BACKEND) >> 16 <= 2
        && text(scope::SUPPORT_TEXT, text::MAX_BODY)
        && text(scope::SUPPORT_LINK, text::MAX_VALUE)
}

pub(super) fn host(_: &mut State, view: &View, index: usize) -> bool {
    let key = |at| (view.long(Section::Hosts, at, 0), view.text_bytes(Section::Hosts, at, 2));
    let sorted = || index.checked_sub(1).is_none_or(|before| key(before) < key(index));
    let scope = view.index(Section::Hosts, index, 4);
    texts::has(view, Section::Hosts, index, 2, text::MAX_VALUE)
        && sorted()
        && scope > 0
        && scope != view.index(Section::Meta, 0, META_CONNECTIONS)
        && scope < view.count(Section::Scopes)
}

/// Buckets are as many as the hosts need, ascend, and hold short runs.
pub(super) fn host_bucket(_: &mut State, view: &View, index: usize) -> bool {
    let hosts = view.count(Section::Hosts);
    let buckets = 1usize << crate::index::keys::bits(hosts);
    let own = view.index(Section::HostBuckets, index, 0);
    let before = index.checked_sub(1).map_or(0, |before| view.index(Section::HostBuckets, before, 0));
    let ends = index != buckets || own == hosts;
    let begins = index > 0 || own == 0;
    view.count(Section::HostBuckets) == buckets + 1
        && begins
        && ends
        && before <= own
        && own - before <= crate::index::keys::MAX_RUN
}

pub(super) fn client(_: &mut State, view: &View, index: usize) -> bool {
    let word = |w| view.word(Section::Clients, index, w);
    let trusted = word(client::TRUSTED) as usize;
    let trust = match word(client::TRUST) {
        client::NOBODY => true,
        client::NETWORKS => is_trustable(view, trusted),
        client::HOPS => trusted <= 255,
        _ => false,
    };
    let source = match word(client::SOURCE) {
        client::FORWARDED_FOR | client::FORWARDED | client::PEER => true,
        client::BY_HEADER => {
            texts::has(view, Section::Clients, index, client::HEADER, text::MAX_VALUE)
                && Source::header(view.text(Section::Clients, index, client::HEADER)).is_ok()
        }
        _ => false,
    };
    trust && source
}

fn is_trustable(view: &View, index: usize) -> bool {
    use crate::image::set;
    let word = |w| view.word(Section::Sets, index, w);
    index < view.count(Section::Sets)
        && word(set::KIND) == set::NETWORKS
        && (word(set::COUNT) as usize).saturating_add(word(set::COUNT6) as usize) <= MAX_TRUSTED
}

pub(super) fn client_key(_: &mut State, view: &View, index: usize) -> bool {
    let claim = view.index(Section::ClientKeys, index, 1);
    match view.word(Section::ClientKeys, index, 0) {
        client::KEY_ADDRESS | client::KEY_IDENTITY => true,
        client::KEY_CLAIM => claim < view.count(Section::Claims),
        _ => false,
    }
}
