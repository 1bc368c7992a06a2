//! The assets of Swagger UI, unpacked from the archive in the binary when the page is first opened.
//!
//! utoipa-swagger-ui would serve them, too, but it unpacks the archive with code of its own while it is built, and brings
//! a generator of contracts: a twentieth of the time that a first build takes.

use std::collections::HashMap;
use std::sync::LazyLock;

use miniz_oxide::inflate::decompress_to_vec_with_limit;
use rawzip::{CompressionMethod, ZipArchive};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;

use crate::http::handlers::document::Document;

/// The assets that the page loads, and their media types.
const ASSETS: [(&str, &str); 7] = [
    ("index.html", "text/html; charset=utf-8"),
    ("index.css", "text/css"),
    ("swagger-ui.css", "text/css"),
    ("swagger-ui-bundle.js", "text/javascript"),
    ("swagger-ui-standalone-preset.js", "text/javascript"),
    ("favicon-16x16.png", "image/png"),
    ("favicon-32x32.png", "image/png"),
];

/// The most bytes of one asset.
const MAX_ASSET_BYTES: usize = 8 << 20;

/// The assets by name.
static UNPACKED: LazyLock<HashMap<&'static str, Document>> = LazyLock::new(|| {
    unpack(SWAGGER_UI_VENDORED).unwrap_or_else(|error| {
        tracing::error!(%error, "the assets of /docs cannot be unpacked");
        HashMap::new()
    })
});

/// Returns an asset by its file name, or nothing if the page has no such asset.
pub(super) fn asset(name: &str) -> Option<&'static Document> {
    // Only the name of an asset unpacks the archive.
    ASSETS.iter().find(|(known, _)| *known == name).and_then(|_| UNPACKED.get(name))
}

#[derive(Debug, thiserror::Error)]
enum UnpackError {
    #[error(transparent)]
    Archive(#[from] rawzip::Error),
    #[error("{0} cannot be decompressed: {1}")]
    Compressed(&'static str, miniz_oxide::inflate::DecompressError),
}

fn unpack(archive: &[u8]) -> Result<HashMap<&'static str, Document>, UnpackError> {
    let archive = ZipArchive::from_slice(archive)?;
    let mut unpacked = HashMap::new();
    let mut entries = archive.entries();
    while let Some(entry) = entries.next_entry()? {
        let path = entry.file_path();
        let Some(&(name, content_type)) = ASSETS.iter().find(|(name, _)| is_in_dist(path.as_ref(), name)) else {
            continue;
        };
        let data = archive.get_entry(entry.wayfinder())?.data();
        let bytes = if entry.compression_method() == CompressionMethod::STORE {
            data.to_vec()
        } else {
            decompress_to_vec_with_limit(data, MAX_ASSET_BYTES).map_err(|error| UnpackError::Compressed(name, error))?
        };
        unpacked.insert(name, Document::new(content_type, bytes));
    }
    Ok(unpacked)
}

/// True of `swagger-ui-VERSION/dist/NAME`.
fn is_in_dist(path: &[u8], name: &str) -> bool {
    let mut parts = path.split(|byte| *byte == b'/').skip(1);
    parts.next() == Some(b"dist") && parts.next() == Some(name.as_bytes()) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_has_each_asset_of_the_page() {
        for (name, content_type) in ASSETS {
            let asset = asset(name).unwrap_or_else(|| panic!("{name} is not in the archive"));
            assert_eq!(asset.content_type, content_type);
            assert!(!asset.bytes.is_empty(), "{name}");
        }
        assert!(asset("swagger-ui.js.map").is_none());
    }
}
