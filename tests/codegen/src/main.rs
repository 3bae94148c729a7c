//! `make proto`: writes the generated files where they are committed.

fn main() -> std::io::Result<()> {
    for file in gatehouse_codegen::generate()? {
        let path = gatehouse_codegen::root().join(file.path);
        std::fs::write(&path, file.text)?;
        println!("wrote {}", file.path);
    }
    Ok(())
}
