//! The stream between gate and house as two pure state machines: [`sender`] in the gate, [`receiver`] in the house.
//!
//! Neither knows a clock or a socket: both are driven by calls, so that the pair can be model-checked (the `pair` tests).
//! The messages they speak are `gatehouse.v1.Hello`, `Batch`, `Credit` and `Bye`; sequences of an epoch begin at 0.

pub mod receiver;
pub mod sender;

#[cfg(test)]
mod pair;
