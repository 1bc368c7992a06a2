//! `[identity]`: the keys that verify tokens.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use secrecy::{ExposeSecret, SecretString};
use toml::Value;

use super::reader::Section;
use super::secret;
use super::value::{Setting, TextError, parse_text, text_settings};
use crate::domain::UnknownVariant;
use crate::identity::{
    ClaimMapping, ClaimPath, IssuerUrl, IssuerUrlError, JwksSettings, KeyMaterial, KeySource, KeySpec,
    MIN_SECRET_BYTES, Rules, Scopes, algorithm_names, check_keys, hmac_algorithm_names, is_short_secret,
    parse_algorithm,
};

/// `[identity]`
#[derive(Debug, Clone)]
pub struct Identity {
    /// The secret of `VOXGATE_JWT_SECRET`, with which `voxgate token` also signs.
    pub secret: Option<KeySpec>,
    /// `[[identity.keys]]`
    pub keys: Vec<KeySpec>,
    /// The source of an issuer's published keys.
    pub jwks: Option<JwksSettings>,
    /// The leeway, the issuer, the audience and the names of claims.
    pub rules: Rules,
}

impl Identity {
    pub(super) fn read(mut section: Section, loopback: bool) -> Self {
        let algorithm = section.value("jwt_algorithm", HmacAlgorithm(Algorithm::HS256)).0;
        let given = secret::read(&mut section, "jwt_secret", "jwt_secret_file");
        if let Some(secret) = &given {
            check_length(&section, "jwt_secret", secret, loopback);
        }
        let secret = given.map(|secret| KeySpec { kid: None, algorithm, material: KeyMaterial::Secret(secret) });
        let rules = Rules {
            leeway: section.value("leeway", Duration::from_secs(30)),
            issuer: section.optional("issuer"),
            audience: section.value("audience", Vec::new()),
            mapping: read_mapping(&mut section),
        };
        let jwks = read_jwks(&mut section, &rules);
        let tables = section.listed_sections("keys");
        let keys = tables.into_iter().filter_map(|table| read_key(table, loopback)).collect();
        let settings = Self { secret, keys, jwks, rules };
        for error in check_keys(settings.own_keys()).err().into_iter().flatten() {
            section.problem("keys", error.to_string());
        }
        section.finish();
        settings
    }

    /// True if there is no key to verify a token with.
    pub fn is_empty(&self) -> bool {
        self.secret.is_none() && self.keys.is_empty() && self.jwks.is_none()
    }

    /// Returns the keys that the settings hold themselves: the secret and `[[identity.keys]]`.
    pub fn own_keys(&self) -> Vec<KeySpec> {
        self.secret.iter().chain(&self.keys).cloned().collect()
    }
}

fn read_key(mut section: Section, loopback: bool) -> Option<KeySpec> {
    let kid = section.optional("kid");
    let algorithm: Option<KeyAlgorithm> = section.optional("algorithm");
    let secret = secret::read(&mut section, "secret", "secret_file");
    let inline = section.optional("public_key");
    let file = section.optional("public_key_file");
    let public = public_key(&section, inline, file);
    if let Some(secret) = &secret {
        check_length(&section, "secret", secret, loopback);
    }
    if algorithm.is_none() {
        section.problem("algorithm", format!("is required; {}", UnknownVariant::among(algorithm_names())));
    }
    let material = match (secret, public) {
        (Some(secret), None) => Some(KeyMaterial::Secret(secret)),
        (None, Some(pem)) => Some(KeyMaterial::PublicPem(pem)),
        _ => {
            section.problem("public_key", "give exactly one of secret, secret_file, public_key, public_key_file");
            None
        }
    };
    section.finish();
    Some(KeySpec { kid, algorithm: algorithm?.0, material: material? })
}

fn public_key(section: &Section, inline: Option<String>, file: Option<PathBuf>) -> Option<String> {
    let path = match file {
        Some(path) if inline.is_none() => path,
        Some(_) => {
            section.problem("public_key_file", "public_key is given too; give one of them");
            return None;
        }
        None => return inline,
    };
    section
        .file(&path)
        .map_err(|error| section.problem("public_key_file", format!("{} cannot be read: {error}", path.display())))
        .ok()
}

/// Checks the length of an HMAC secret, which must be at least that of the hash (RFC 7518 §3.2). A short one is allowed
/// if only this machine can connect, so that a first run needs no preparation.
fn check_length(section: &Section, key: &str, secret: &SecretString, loopback: bool) {
    if is_short_secret(secret) && !loopback {
        let length = secret.expose_secret().len();
        section.problem(key, format!("got {length} bytes; takes {MIN_SECRET_BYTES} or more (openssl rand -hex 32)"));
    }
}

fn read_jwks(section: &mut Section, rules: &Rules) -> Option<JwksSettings> {
    let url: Option<IssuerUrl> = section.optional("jwks_url");
    let discovery = section.value("discovery", false);
    let refresh = section.value("jwks_refresh", Duration::from_mins(10));
    let cooldown = section.value("jwks_cooldown", Duration::from_secs(10));
    let timeout = section.value("jwks_timeout", Duration::from_secs(5));
    if cooldown > refresh {
        section.problem("jwks_cooldown", "takes no more than jwks_refresh");
    }
    let source = match (url, discovery) {
        (None, false) => return None,
        (Some(url), false) => KeySource::Jwks(url),
        (None, true) => discovered(section, rules)?,
        (Some(_), true) => {
            section.problem("discovery", "jwks_url is given too; give one of them");
            return None;
        }
    };
    // Some providers sign for all their customers with the same keys.
    if rules.issuer.is_none() && rules.audience.is_empty() {
        section.problem("issuer", "is required with jwks_url, or audience: others may have tokens of the same keys");
    }
    Some(JwksSettings { source, refresh, cooldown, timeout })
}

fn discovered(section: &Section, rules: &Rules) -> Option<KeySource> {
    let address = rules.issuer.as_deref().map(str::parse);
    let (Some(issuer), Some(Ok(address))) = (&rules.issuer, address) else {
        section.problem("issuer", format!("is required for discovery; {IssuerUrlError}"));
        return None;
    };
    Some(KeySource::Discovery { issuer: issuer.clone(), address })
}

impl Setting for IssuerUrl {
    type Err = TextError<IssuerUrlError>;
    /// The address may hold a password all the same.
    const SECRET: bool = true;

    fn parse(value: &Value) -> Result<Self, Self::Err> {
        parse_text(value)
    }
}

/// `[identity.claims]`, `identity.default_scope` and `[identity.scope_words]`
fn read_mapping(section: &mut Section) -> ClaimMapping {
    let standard = ClaimMapping::default();
    let default_scope = section.value("default_scope", standard.default_scope);
    let mut words = BTreeMap::new();
    for (word, scopes) in section.texts("scope_words").unwrap_or_default() {
        match scopes.parse::<Scopes>() {
            Ok(scopes) => drop(words.insert(word, scopes)),
            Err(error) => section.problem(&format!("scope_words.{word}"), error.to_string()),
        }
    }
    let mut claims = section.section("claims");
    let mapping = ClaimMapping {
        subject: claims.value("subject", standard.subject),
        plan: claims.value("plan", standard.plan),
        scope: claims.value("scope", standard.scope),
        default_scope,
        words,
    };
    claims.finish();
    mapping
}

text_settings!(ClaimPath, Scopes, KeyAlgorithm, HmacAlgorithm);

/// The algorithm of a key.
struct KeyAlgorithm(Algorithm);

impl FromStr for KeyAlgorithm {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        parse_algorithm(name).map(Self).ok_or_else(|| UnknownVariant::among(algorithm_names()))
    }
}

/// The algorithm of a secret.
struct HmacAlgorithm(Algorithm);

impl FromStr for HmacAlgorithm {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Self, UnknownVariant> {
        let found = hmac_algorithm_names().find(|known| *known == name).and_then(parse_algorithm);
        found.map(Self).ok_or_else(|| UnknownVariant::among(hmac_algorithm_names()))
    }
}
