//! Traffic to API inventory: path templates, parameters, schemas, OpenAPI in and out, drift.
//!
//! Nothing lives here yet. The crate exists so that its border (verdict, signals, meter, contract) holds from the start.
