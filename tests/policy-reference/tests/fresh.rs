//! The committed reference and schemas are those that the table gives.

use gatehouse_policy_reference::{generate, root};

#[test]
fn the_committed_reference_and_schemas_are_fresh() {
    for file in generate() {
        let committed = std::fs::read_to_string(root().join(file.path)).unwrap_or_default();
        assert!(committed == file.text, "{} is stale: run `make reference`", file.path);
    }
}
