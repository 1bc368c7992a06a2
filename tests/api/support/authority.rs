//! A certificate authority that only the tests trust, and certificates of it for 127.0.0.1.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use reqwest::Certificate;
use tempfile::TempDir;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "An authority of tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { issuer, folder: TempDir::new().unwrap() };
        std::fs::write(authority.root_file(), authority.issuer.pem()).unwrap();
        authority.issue(&["127.0.0.1", "localhost"]);
        authority
    }

    /// Puts a new certificate and its key in the place of those that were there.
    pub(crate) fn issue(&self, names: &[&str]) {
        self.issue_until(names, 2045);
    }

    /// The same, which holds until this year.
    pub(crate) fn issue_until(&self, names: &[&str], year: i32) {
        let (certificate, key) = self.certificate_until(names, year);
        self.put(&self.key_file(), &key);
        self.put(&self.certificate_file(), &certificate);
    }

    /// A certificate and its key, in PEM.
    pub(crate) fn certificate(&self, names: &[&str]) -> (String, String) {
        self.certificate_until(names, 2045)
    }

    fn certificate_until(&self, names: &[&str], year: i32) -> (String, String) {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// All at once, as a tool that renews certificates does it.
    pub(crate) fn put(&self, file: &Path, text: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(&next, file).unwrap();
    }

    pub(crate) fn root(&self) -> Certificate {
        Certificate::from_pem(self.issuer.pem().as_bytes()).unwrap()
    }

    /// The authority's own certificate, for `curl --cacert`.
    pub(crate) fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}
