//! What the house knows of rollbacks: taken in on an open stream, bounded.

use gatehouse_proto::v1::{self, hello::Feature, house_message};
use gatehouse_scripted_host::{Gate, House};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}}"#;

#[test]
fn rollbacks_of_any_policy_are_taken_in_and_more_than_there_may_be_close_the_stream() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (house, hello) = House::attach(&mut gate, 1 << 20);
    assert!(hello.features.contains(&Feature::Rollbacks.into()));
    let told = |rules: usize| {
        let rules = (0..rules).map(|number| format!("shop/rule-{number}")).collect();
        house_message::Message::Rollbacks(v1::Rollbacks { policy_digest: vec![9; 32], rules })
    };
    house.say(&mut gate, told(1024));
    house.say(&mut gate, told(0));
    assert!(gate.get("/", &[]).forwarded);
    assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 0);
    house.say(&mut gate, told(1025));
    assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 1);
}
