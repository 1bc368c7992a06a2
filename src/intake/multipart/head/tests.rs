use super::*;

const FORM_DATA: &[u8] = b"Content-Disposition: form-data; name=\"file\"";

fn with(more: &[u8]) -> Vec<u8> {
    [FORM_DATA, more].concat()
}

#[test]
fn a_file_name_in_any_bytes_is_a_file_name() {
    for name in [
        b"; filename=\"caf\xe9.wav\"".as_slice(),
        b"; filename=\"\x83e\x83X\x83g.wav\"",
        b"; filename=\"caf\xc3\xa9.wav\"",
        b"; filename*=ISO-8859-1''caf%E9.wav",
        b"; filename*=utf-8''caf%c3%a9.wav",
        b"; filename*=nonsense",
        b"; filename*=\"utf-8''a.wav\"",
        b"; filename=a.wav",
        b"; filename=my recording.wav",
        b"; filename=\"a \\\"b\\\" c.wav\"",
        b"; filename=\"a \"b\" c.wav\"",
        b"; filename=\"C:\\dir\\a.wav\"",
        b"; filename=\"a;name=b.wav\"",
        b"; filename=\"\"",
        b";filename=\"a.wav\";",
        b" ; filename = \"a.wav\" ; size = 7",
        b";\r\n filename=\"a.wav\"",
        b"; filename=\"caf\xe9.wav\"; filename*=utf-8''caf%c3%a9.wav",
    ] {
        let head = PartHead::read(&with(name)).unwrap_or_else(|error| panic!("{error}: {name:?}"));
        assert!(head.has_file_name && head.name == "file", "{head:?}");
    }
}

#[test]
fn a_parts_own_length_and_whatever_else_it_says_is_passed_over() {
    for more in [
        b"\r\nContent-Length: 3".as_slice(),
        b"\r\nContent-Length: nonsense",
        b"\r\nContent-Transfer-Encoding: binary",
        b"\r\ncontent-transfer-encoding: 8BIT",
        b"\r\nX-Odd: \xff\xfe",
        b"\r\nContent-Type: nonsense",
        b"\r\nContent-Type:",
        b"\r\nContent-Type: audio/wav; name=\"caf\xe9.wav\"",
    ] {
        let head = PartHead::read(&with(more)).unwrap_or_else(|error| panic!("{error}: {more:?}"));
        assert_eq!((head.name.as_str(), head.has_file_name), ("file", false));
    }
}

#[test]
fn the_charset_of_a_text_is_read_however_it_is_written() {
    for (more, charset) in [
        (b"\r\nContent-Type: text/plain".as_slice(), None),
        (b"\r\nContent-Type: text/plain; charset=ISO-8859-1", Some("ISO-8859-1")),
        (b"\r\nContent-Type: text/plain;charset=\"utf-16\"", Some("utf-16")),
        (b"\r\ncontent-type: Text/Plain; format=flowed; Charset = windows-1252", Some("windows-1252")),
    ] {
        let head = PartHead::read(&with(more)).unwrap();
        assert_eq!((head.media_type.as_str(), head.charset.as_deref()), ("text/plain", charset));
    }
}

#[test]
fn a_head_that_can_be_read_in_two_ways_or_in_none_is_refused() {
    use HeadError as E;
    let many = (0..40).fold(with(b""), |head, i| [head, format!("\r\nX-{i}: 1").into_bytes()].concat());
    for (head, error) in [
        (b"".to_vec(), E::NoDisposition),
        (b"Content-Type: text/plain".to_vec(), E::NoDisposition),
        (b"Content-Disposition: attachment; name=\"a\"".to_vec(), E::NotFormData),
        (b"Content-Disposition: form-data".to_vec(), E::NoName),
        (b"Content-Disposition: form-data; name=\"\"".to_vec(), E::NoName),
        (b"Content-Disposition: form-data; filename=\"a\"".to_vec(), E::NoName),
        (b"Content-Disposition: form-data; name=\"a".to_vec(), E::Malformed),
        (with(b"; name=\"model\""), E::Repeated("name")),
        (with(b"\r\nContent-Disposition: form-data; name=\"model\""), E::Repeated("Content-Disposition")),
        (with(b"\r\nContent-Type: text/plain\r\nContent-Type: audio/wav"), E::Repeated("Content-Type")),
        (with(b"\r\nContent-Type: text/plain; charset=a; charset=b"), E::Repeated("charset")),
        (with(b"\r\nContent-Type: multipart/mixed; boundary=x"), E::Nested),
        (with(b"\r\nContent-Transfer-Encoding: base64"), E::Encoded("base64".to_owned())),
        (with(b"\r\nContent-Transfer-Encoding: quoted-printable"), E::Encoded("quoted-printable".to_owned())),
        (with(b"\r\nno colon"), E::Malformed),
        (with(b"\r\n: no name"), E::Malformed),
        (with(b"\r\nA B: two words"), E::Malformed),
        (with(b"\nX-Bare: line feed"), E::Malformed),
        (with(b"\r\nX-Nul: \0"), E::Malformed),
        (b" folded: from nothing".to_vec(), E::Malformed),
        (many, E::TooManyLines),
    ] {
        assert_eq!(PartHead::read(&head), Err(error), "{:?}", String::from_utf8_lossy(&head));
    }
}

#[test]
fn the_parser_gets_the_name_and_nothing_that_could_be_misread() {
    let named = |name: &str| PartHead { name: name.to_owned(), ..PartHead::default() }.plain();
    assert_eq!(named("languages[]"), plain_head("languages[]"));
    for odd in ["a\"b", "a\\b", "a b", "é", "a%22b", "a\r\nb"] {
        assert_eq!(named(odd), plain_head("_"), "{odd:?}");
    }
}
