//! What the provider was sent, taken apart, and everything that a strict provider would find wrong with it.

use memchr::memmem;

use super::KEY;

/// What one provider wants otherwise than others.
pub(crate) struct Expectations {
    /// The header that the key is in.
    pub(crate) auth_header: &'static str,
    /// The keys that it knows.
    pub(crate) keys: Vec<String>,
    /// Whether the form says which model.
    pub(crate) names_model: bool,
    /// Whether the names of lists end in brackets.
    pub(crate) list_brackets: bool,
    /// The fields that it refuses.
    pub(crate) unknown_fields: &'static [&'static str],
    /// Whether it is told which trace a request belongs to.
    pub(crate) traced: bool,
}

impl Default for Expectations {
    fn default() -> Self {
        Self {
            auth_header: "authorization",
            keys: vec![KEY.to_owned()],
            names_model: true,
            list_brackets: true,
            unknown_fields: &[],
            traced: false,
        }
    }
}

impl Expectations {
    /// The key of a request.
    pub(super) fn key_of<'a>(&self, seen: &'a Seen) -> Option<&'a str> {
        let value = seen.header(self.auth_header)?;
        if self.auth_header == "authorization" { value.strip_prefix("Bearer ") } else { Some(value) }
    }
}

/// No other header may reach a provider: none of the client's own does.
const ALLOWED: [&str; 10] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "authorization",
    "content-type",
    "content-length",
    "x-client-request-id",
    "openai-organization",
    "openai-project",
];

/// A request.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) parts: Vec<Part>,
}

/// A part of its form.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(super) fn of(head: &str, body: &[u8]) -> Self {
        let mut lines = head.lines();
        let mut request = lines.next().unwrap_or_default().split(' ');
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut seen = Self {
            method: request.next().unwrap_or_default().to_owned(),
            path: request.next().unwrap_or_default().to_owned(),
            headers,
            parts: Vec::new(),
        };
        let boundary = seen.header("content-type").and_then(|kind| kind.strip_prefix("multipart/form-data; boundary="));
        if let Some(boundary) = boundary {
            seen.parts = parts(boundary, body);
        }
        seen
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every field but the file, in the order in which it came.
    pub(crate) fn fields(&self) -> Vec<(&str, &str)> {
        let fields = self.parts.iter().filter(|part| part.file_name.is_none());
        fields.map(|part| (part.name.as_str(), std::str::from_utf8(&part.body).unwrap())).collect()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(crate) fn file(&self) -> &Part {
        self.parts.iter().find(|part| part.name == "file").expect("the provider was sent no file")
    }

    /// What is wrong with a request for a transcript.
    pub(super) fn faults(&self, expectations: &Expectations) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |right: bool, fault: String| {
            if !right {
                faults.push(fault);
            }
        };
        let key = expectations.key_of(self).map(str::to_owned);
        let known = key.as_ref().map_or(expectations.keys.is_empty(), |key| expectations.keys.contains(key));
        check(known, "the key is not the server's".to_owned());
        for (name, _) in &self.headers {
            let usual =
                ALLOWED.contains(&name.as_str()) && (name != "authorization" || expectations.auth_header == name);
            let traced = expectations.traced && name == "traceparent";
            check(usual || traced || name == expectations.auth_header, format!("header {name} was sent"));
            let times = self.headers.iter().filter(|(other, _)| other == name).count();
            check(times == 1, format!("header {name} was sent {times} times"));
        }
        if self.method != "POST" {
            return faults;
        }
        check(self.header("accept-encoding") == Some("identity"), "a compressed answer was asked for".to_owned());
        check(self.header("content-length").is_some(), "there is no Content-Length".to_owned());
        let names: Vec<_> = self.parts.iter().map(|part| part.name.as_str()).collect();
        let files = names.iter().filter(|name| **name == "file").count();
        check(files == 1 && names.last() == Some(&"file"), format!("the file is not the last part: {names:?}"));
        check(names.contains(&"model") == expectations.names_model, format!("a model, or none: {names:?}"));
        let lists = ["timestamp_granularities", "languages", "keywords", "include"];
        for name in &names {
            check(!expectations.unknown_fields.contains(name), format!("field {name} was sent"));
            let list = lists.contains(&name.trim_end_matches("[]"));
            check(!list || name.ends_with("[]") == expectations.list_brackets, format!("a list is called {name}"));
        }
        if let Some(file) = self.parts.iter().find(|part| part.name == "file") {
            let extension = file.file_name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, last)| last);
            let known = ["flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "oga", "wav", "webm"];
            check(extension.is_some_and(|one| known.contains(&one)), format!("file name {:?}", file.file_name));
            let audio = file.content_type.as_deref().is_some_and(|kind| kind.starts_with("audio/"));
            check(audio, format!("content type {:?}", file.content_type));
        }
        faults
    }
}

/// The parts of a form. It is strict: what is not exactly a form comes out as parts that fit no test.
fn parts(boundary: &str, body: &[u8]) -> Vec<Part> {
    let delimiter = format!("\r\n--{boundary}");
    let with_start = [b"\r\n", body].concat();
    let mut starts: Vec<_> = memmem::find_iter(&with_start, &delimiter).collect();
    let Some(end) = starts.pop().filter(|end| with_start[end + delimiter.len()..].starts_with(b"--")) else {
        return Vec::new();
    };
    let ends = starts.iter().skip(1).copied().chain([end]);
    starts.iter().zip(ends).map(|(start, end)| part(&with_start[start + delimiter.len() + 2..end])).collect()
}

fn part(bytes: &[u8]) -> Part {
    let blank = memmem::find(bytes, b"\r\n\r\n").expect("a part without a blank line");
    let head = std::str::from_utf8(&bytes[..blank]).unwrap();
    let header = |wanted: &str| {
        head.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let disposition = header("content-disposition").expect("a part without a disposition").1;
    let parameter = |name: &str| {
        let (_, rest) = disposition.split_once(&format!("; {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    Part {
        name: parameter("name").expect("a part without a name"),
        file_name: parameter("filename"),
        content_type: header("content-type").map(|(_, value)| value.trim().to_owned()),
        body: bytes[blank + 4..].to_vec(),
    }
}
