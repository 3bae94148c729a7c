//! Counting in bounded memory: limits, sketches, windows, top-k, distinct counts, lists with a time to live.
//!
//! Nothing lives here yet: the first limits come with the decision engine's `limit` action. Until then the policy
//! compiler refuses `limit:` by name. The crate exists so that its border (it uses nothing of ours) holds from the start.
