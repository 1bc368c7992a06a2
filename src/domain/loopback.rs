//! The rule for addresses of this machine, to which no one else listens.

use url::Host;

/// Returns true if a URL's host is this machine. Names below `localhost` are not: whether they are resolved to this
/// machine depends on the resolver.
pub fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("[::1]", true),
            ("a.localhost", false),
            ("localhost.example.com", false),
            ("10.0.0.1", false),
            ("[::2]", false),
        ] {
            let host: Host<String> = Host::parse(host).unwrap();
            let borrowed = match &host {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(address) => Host::Ipv4(*address),
                Host::Ipv6(address) => Host::Ipv6(*address),
            };
            assert_eq!(is_loopback(&borrowed), expected, "{host}");
        }
    }
}
