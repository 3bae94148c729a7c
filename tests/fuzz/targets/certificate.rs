#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatehouse_fuzz::certificate::check(bytes));
