//! The committed generated code is what `proto/` says.

#[test]
fn committed_code_is_what_the_proto_files_say() {
    for file in gatehouse_codegen::generate().expect("proto compiles") {
        let path = gatehouse_codegen::root().join(file.path);
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == file.text, "{} is stale: run `make proto` and commit what it writes", file.path);
    }
}
