//! What the watcher takes, and what it leaves alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

struct Desk {
    dir: tempfile::TempDir,
    watcher: Watcher,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("policies");
        fs::create_dir(&folder).unwrap();
        let data = Arc::new(DataFolder::open(&dir.path().join("data")).unwrap());
        let config = config::Policies { folder, every: Duration::from_millis(50), ranges: None };
        let policies = Policies::open(&data, Some(&config)).unwrap();
        Self { watcher: Watcher::new(policies, config, data, Arc::default()), dir }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("policies")
    }

    fn write(&self, name: &str, path: &str) {
        write(&self.folder().join(name), path);
    }

    fn revision(&self) -> Option<u64> {
        self.watcher.policies.current().map(|snapshot| snapshot.revision())
    }

    fn problems(&self) -> Vec<Problem> {
        self.watcher.policies.report().problems
    }

    fn failures(&self) -> u64 {
        self.watcher.metrics.policy_failures.get()
    }
}

fn write(file: &Path, path: &str) {
    let text = format!(
        "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec:\n  hosts: [a.example]\n  rules:\n    \
         - name: r\n      match: {{ path: {path} }}\n      then: block\n"
    );
    fs::write(file, text).unwrap();
}

#[tokio::test]
async fn what_compiles_is_taken_and_what_is_the_same_keeps_its_number() {
    let mut desk = Desk::new();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    assert_eq!(desk.revision(), Some(1));
    desk.watcher.look().await;
    // Another text, the same meaning.
    let file = desk.folder().join("a.yaml");
    fs::write(&file, format!("# a word\n{}", fs::read_to_string(&file).unwrap())).unwrap();
    desk.watcher.look().await;
    assert_eq!(desk.revision(), Some(1));
    desk.write("a.yaml", "/two");
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.failures()), (Some(2), 0));
}

#[tokio::test]
async fn a_broken_folder_is_told_once_and_taken_back_when_it_is_mended() {
    let mut desk = Desk::new();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    desk.write("a.yaml", "{ bad: 1 }");
    for _ in 0..3 {
        desk.watcher.look().await;
    }
    assert_eq!((desk.revision(), desk.failures()), (Some(1), 1));
    assert!(desk.problems()[0].place.starts_with("a.yaml:8:"), "{:?}", desk.problems());
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.problems()), (Some(1), vec![]));
}

#[tokio::test]
async fn a_folder_that_is_gone_or_emptied_leaves_the_policy_in_force() {
    let mut desk = Desk::new();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    fs::remove_file(desk.folder().join("a.yaml")).unwrap();
    desk.watcher.look().await;
    assert!(desk.problems()[0].message.contains("the policy in force stays"));
    fs::remove_dir(desk.folder()).unwrap();
    desk.watcher.look().await;
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.failures()), (Some(1), 2));
    fs::create_dir(desk.folder()).unwrap();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.problems()), (Some(1), vec![]));
}

#[tokio::test]
async fn a_configmap_swap_is_one_change() {
    let mut desk = Desk::new();
    let folder = desk.folder();
    for (version, path) in [("..1", "/one"), ("..2", "/two")] {
        fs::create_dir(folder.join(version)).unwrap();
        write(&folder.join(version).join("shop.yaml"), path);
    }
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/shop.yaml", folder.join("shop.yaml")).unwrap();
    desk.watcher.look().await;
    assert_eq!(desk.watcher.policies.report().files, ["shop.yaml"]);
    symlink("..2", folder.join("..tmp")).unwrap();
    fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.failures()), (Some(2), 0));
}

#[tokio::test]
async fn a_file_that_is_still_being_written_is_waited_for() {
    let mut desk = Desk::new();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    let file = desk.folder().join("a.yaml");
    let whole = fs::read_to_string(&file).unwrap().replace("/one", "/two");
    fs::write(&file, &whole.as_bytes()[..whole.len() / 2]).unwrap();
    let editor = tokio::spawn(async move {
        tokio::time::sleep(SETTLE / 2).await;
        fs::write(&file, whole).unwrap();
    });
    desk.watcher.look().await;
    editor.await.unwrap();
    assert_eq!((desk.revision(), desk.failures()), (Some(2), 0));
}

#[tokio::test]
async fn a_damaged_kept_policy_is_replaced_by_the_folders() {
    let mut desk = Desk::new();
    desk.write("a.yaml", "/one");
    desk.watcher.look().await;
    desk.watcher.data.replace("policy.image", b"GHP1 nonsense", 0o640).unwrap();
    let reopened = Policies::open(&desk.watcher.data, Some(&desk.watcher.config)).unwrap();
    assert_eq!(reopened.current(), None);
}

#[tokio::test]
async fn ranges_of_packs_and_list_files_are_followed_as_documents_are() {
    let mut desk = Desk::new();
    let ranges = desk.dir.path().join("ranges");
    fs::create_dir(&ranges).unwrap();
    desk.watcher.config.ranges = Some(ranges.clone());
    let text = "apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: { name: p }\nspec:\n  hosts: [a.example]\n  use: [packs/search-crawlers]\n  \
                lists: { bad: { cidrs: [], files: bad.txt } }\n  rules:\n    - { name: bad, match: { address: { list: bad } }, then: block }\n";
    fs::write(desk.folder().join("p.yaml"), text).unwrap();
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.problems().len()), (None, 1), "{:?}", desk.problems());
    fs::write(desk.folder().join("bad.txt"), "192.0.2.0/24\n").unwrap();
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.watcher.policies.report().rules), (Some(1), 1));
    assert!(desk.watcher.policies.report().packs[0].lists.iter().all(|list| list.problem.is_some()));

    fs::write(ranges.join("bingbot.json"), r#"{"prefixes":[{"ipv4Prefix":"198.51.100.0/24"}]}"#).unwrap();
    desk.watcher.look().await;
    assert_eq!((desk.revision(), desk.watcher.policies.report().rules), (Some(2), 3));
    desk.watcher.look().await;
    assert_eq!(desk.revision(), Some(2), "nothing new");
    fs::write(desk.folder().join("bad.txt"), "192.0.2.0/24\n192.0.3.0/24\n").unwrap();
    desk.watcher.look().await;
    assert_eq!(desk.revision(), Some(3));
}
