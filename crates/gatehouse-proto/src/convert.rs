//! Between the generated messages and the domain types of `gatehouse-verdict`.
