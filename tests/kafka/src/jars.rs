//! The broker's jars: fetched once by Maven into the cache, whoever asks first.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

const POM: &str = include_str!("../pom.xml");

/// The class path. The cache is `$GATEHOUSE_CACHE/kafka`, or `target/cache/kafka` of the workspace.
///
/// # Panics
/// The jars are not there and cannot be fetched.
pub(crate) fn class_path() -> String {
    let cache = cache();
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join("lock")).unwrap();
    lock.lock().unwrap();
    let (jars, stamp) = (cache.join("jars"), cache.join("jars.pom"));
    if fs::read_to_string(&stamp).ok().as_deref() != Some(POM) {
        fetch(&jars);
        fs::write(&stamp, POM).unwrap();
    }
    let path = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path().display().to_string();
    let mut all: Vec<String> = fs::read_dir(&jars).unwrap().map(path).filter(|path| path.ends_with(".jar")).collect();
    all.sort();
    assert!(!all.is_empty(), "no jars in {}; remove this folder to fetch them anew", cache.display());
    all.join(":")
}

fn cache() -> PathBuf {
    let cache = match std::env::var_os("GATEHOUSE_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/cache"),
    };
    std::path::absolute(cache.join("kafka")).unwrap()
}

fn fetch(jars: &Path) {
    let _ = fs::remove_dir_all(jars);
    let pom = concat!(env!("CARGO_MANIFEST_DIR"), "/pom.xml");
    let mut maven = Command::new("mvn");
    maven.args(["-B", "-q", "-f", pom, "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display()));
    run(&mut maven, "Maven and Java 17 or later (Debian: `apt-get install maven default-jre-headless`)");
}

#[cfg(test)]
mod tests {
    #[test]
    fn jars_of_the_broker_are_fetched() {
        assert!(super::class_path().contains("kafka"));
    }
}
