//! A certificate authority of the test's own, a broker certificate and a client certificate, all PEM (keys PKCS#8).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::run;

const KEY: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout"];
const CLIENT: &str = "extendedKeyUsage=clientAuth\n";

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority that signed the broker's and the client's certificate.
    pub ca: PathBuf,
    /// The client's certificate.
    pub client_certificate: PathBuf,
    /// The client's key.
    pub client_key: PathBuf,
    /// The broker's key and chain in one file, as it wants them.
    pub(crate) broker: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`.
    ///
    /// # Panics
    /// `openssl` is missing or fails.
    pub(crate) fn make(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let ca = folder.join("ca.pem");
        openssl(
            folder,
            &["req", "-x509"],
            &[&KEY, &["ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=test authority"]],
        );
        issue(folder, "broker", "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n");
        issue(folder, "client", CLIENT);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let broker = folder.join("broker.pem");
        fs::write(&broker, [read("broker.key"), read("broker.crt"), read("ca.pem")].concat()).unwrap();
        Self { ca, client_certificate: folder.join("client.crt"), client_key: folder.join("client.key"), broker }
    }

    /// The certificate and the key of another client, by the same authority: `User:CN=NAME` to the broker.
    ///
    /// # Panics
    /// `openssl` is missing or fails.
    #[must_use]
    pub fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let folder = self.ca.parent().unwrap();
        issue(folder, name, CLIENT);
        (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")))
    }
}

/// A certificate of the authority in `folder`.
fn issue(folder: &Path, name: &str, extensions: &str) {
    let file = |ending: &str| format!("{name}.{ending}");
    fs::write(folder.join(file("ext")), extensions).unwrap();
    openssl(folder, &["req"], &[&KEY, &[&file("key"), "-out", &file("csr"), "-subj", &format!("/CN={name}")]]);
    let sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", &file("ext")];
    openssl(folder, &["x509", "-req", "-in", &file("csr")], &[&sign, &["-out", &file("crt")]]);
}

fn openssl(folder: &Path, verb: &[&str], more: &[&[&str]]) {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(verb);
    for arguments in more {
        command.args(*arguments);
    }
    run(&mut command, "OpenSSL 3 (Debian: `apt-get install openssl`)");
}
