//! What a request and the load of a policy cost in the built `.wasm`, in the interpreter's fuel. It is taken for a whole block when it is
//! entered, also for what a branch then passes over: it compares builds, and is no count of what was executed. Prints; `make wasm-cost`.

use std::time::Duration;

use gatehouse_corpora::{Ask, standard};
use gatehouse_policy::{Format, Source, compile};
use gatehouse_scripted_host::{Gate, House};

const HOUSE: &str = r#"{"house": {"cluster": "users"}}"#;
/// Requests that are counted; as many go before.
const COUNTED: usize = 1000;

/// Fuel a request, from its headers to its log.
fn request(gate: &mut Gate, asks: &[Ask]) -> u64 {
    let mut run = |asks: &mut dyn Iterator<Item = &Ask>| {
        let before = gate.spent();
        for ask in asks {
            let pairs: Vec<(&str, &str)> = ask.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let answer = gate.request(&pairs);
            gate.finish(answer.context);
        }
        gate.spent() - before
    };
    run(&mut asks.iter().cycle().take(COUNTED));
    run(&mut asks.iter().cycle().take(COUNTED)) / COUNTED as u64
}

#[test]
#[ignore = "measures; `make wasm-cost`"]
fn fuel_of_requests_and_of_a_load() {
    let corpus = standard();
    let mut gate = Gate::with_config("{}");
    println!("no policy, no house: {} a request", request(&mut gate, &corpus.asks));
    let mut gate = Gate::with_config(HOUSE);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    println!("no policy, records to a house: {} a request", request(&mut gate, &corpus.asks));

    let sources: Vec<Source<'_>> =
        corpus.documents.iter().map(|text| Source { name: "standard", text, format: Format::Json }).collect();
    let compiled = compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    let before = gate.spent();
    house.policy(&mut gate, 7, &compiled.image, &compiled.digest, 256 << 10);
    let taken = gate.spent() - before;
    let (mut steps, mut longest) = (0, 0);
    for _ in 0..2000 {
        let before = gate.spent();
        gate.tick_after(Duration::from_millis(10));
        let spent = gate.spent() - before;
        (steps, longest) = (steps + 1, longest.max(spent));
        if house
            .heard(&mut gate)
            .iter()
            .any(|message| matches!(message, gatehouse_proto::v1::gate_message::Message::PolicyAck(_)))
        {
            break;
        }
    }
    println!("{} bytes of image: taken with {taken}, then {steps} ticks, the longest {longest}", compiled.image.len());
    println!("standard case: {} a request", request(&mut gate, &corpus.asks));
}
