//! The manifests that `gatehouse render` makes for a test's values: nothing else of ours is applied.

use std::path::Path;
use std::process::Command;

use gatehouse_support::parts;
use serde_json::Value;
use tempfile::TempDir;

/// Manifests in a folder.
#[derive(Debug)]
pub struct Shipped {
    folder: TempDir,
}

impl Shipped {
    /// Renders for Istio.
    ///
    /// # Panics
    /// When the values are refused; what was said is in the message.
    pub fn render(values: &Value) -> Self {
        Self::render_for("istio", values)
    }

    /// Renders for another target. Panics as [`Shipped::render`].
    pub fn render_for(target: &str, values: &Value) -> Self {
        Self::render_with(target, values, &[])
    }

    /// The same with further arguments. Panics as [`Shipped::render`].
    pub fn render_with(target: &str, values: &Value, more: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-manifests-").tempdir().expect("a folder");
        let file = folder.path().join("values.yaml");
        // JSON is YAML.
        std::fs::write(&file, values.to_string()).expect("a file");
        let mut command = Command::new(parts::house());
        let done = command
            .args(["render", target])
            .arg(&file)
            .arg("-o")
            .arg(folder.path())
            .args(more)
            .output()
            .expect("gatehouse");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        std::fs::remove_file(&file).expect("the values go");
        Self { folder }
    }

    /// One manifest's path.
    ///
    /// # Panics
    /// When the values make no such manifest.
    pub fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        assert!(path.is_file(), "`{name}` was not rendered");
        path.display().to_string()
    }

    /// The folder of all.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
