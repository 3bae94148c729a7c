//! How a policy is brought in: what its rules did and would have done, what workers took back, how it differs from the next.
//!
//! | module | holds |
//! |---|---|
//! | [`counts`] | enforced and "would have", by rule, since the policy is in force |
//! | [`rollbacks`] | rules that workers took back, remembered until they change |
//! | [`diff`] | two sets of documents: documents, rules, text |

pub mod counts;
pub mod diff;
pub mod rollbacks;

#[cfg(test)]
mod tests;
