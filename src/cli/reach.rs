//! Explanations of connection errors that say what to fix.

use std::error::Error;
use std::io;
use std::iter::successors;

use url::Url;

type Cause<'a> = &'a (dyn Error + 'static);

/// Explains why a request to `url` got no answer. The text contains neither the key nor a proxy's password.
pub(super) fn unreachable(error: &reqwest::Error, url: &Url) -> String {
    let causes: Vec<Cause<'_>> = successors(error.source(), |cause| (**cause).source()).collect();
    let (cause, by_proxy) = (cause(error, &causes), proxy(url));
    match by_proxy {
        Some(variable) if has(&causes, "tunnel") => format!("the proxy of {variable} failed: {cause}"),
        Some(variable) => {
            format!("{cause} ({variable} is set: requests go to that proxy unless NO_PROXY has the host)")
        }
        None => cause,
    }
}

fn cause(error: &reqwest::Error, causes: &[Cause<'_>]) -> String {
    if let Some(dns) = causes.iter().find(|cause| cause.to_string().starts_with("dns error")) {
        let detail = dns.source().map_or_else(|| dns.to_string(), ToString::to_string);
        return format!("DNS: the name cannot be resolved ({detail})");
    }
    let io = || causes.iter().filter_map(|cause| cause.downcast_ref::<io::Error>());
    if let Some(tls) = io().find_map(tls_error) {
        let hint = match tls {
            rustls::Error::InvalidCertificate(_) => {
                "; is it the right host, and its authority trusted on this machine?"
            }
            rustls::Error::InvalidMessage(_) => "; does the server speak plain HTTP?",
            _ => "",
        };
        return format!("TLS: {tls}{hint}");
    }
    if error.is_timeout() {
        let what = if error.is_connect() { "no connection" } else { "no answer" };
        return format!("{what} in time: a firewall may drop what is sent there");
    }
    match io().next_back() {
        Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            "the connection is refused: no server listens at that host and port".to_owned()
        }
        Some(error) => error.to_string(),
        // The last cause is the most specific one.
        None => causes.last().map_or_else(|| "no answer".to_owned(), ToString::to_string),
    }
}

/// Finds the TLS error in a connection error, which may be wrapped several times. `source` skips the wrapped errors.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    let inner = error.get_ref()?;
    inner.downcast_ref().or_else(|| tls_error(inner.downcast_ref()?))
}

fn has(causes: &[Cause<'_>], word: &str) -> bool {
    causes.iter().any(|cause| cause.to_string().contains(word))
}

/// Returns the variable that names a proxy for `url`, in the order in which the HTTP client looks for one.
fn proxy(url: &Url) -> Option<&'static str> {
    let names: &[&'static str] = match url.scheme() {
        "https" => &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => &["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    names.iter().copied().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
