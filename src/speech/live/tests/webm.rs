//! `WebM` as browsers record it, made here.

use opus_pure::{Application, OpusEncoder};

/// The way in which packets are put into clusters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blocks {
    /// The number of packets of 20 ms in each block.
    pub(super) packets: usize,
    pub(super) cut: Cut,
}

/// The sizes of the segment and its clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Unknown,
    Known,
}

/// A recording: its head, and its blocks with the clusters that begin before them.
pub(super) struct File {
    pub(super) head: Vec<u8>,
    pub(super) blocks: Vec<Vec<u8>>,
}

impl File {
    pub(super) fn joined(&self) -> Vec<u8> {
        [self.head.clone(), self.blocks.concat()].concat()
    }
}

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap() | 0x1000_0000;
    [id, &size.to_be_bytes(), content].concat()
}

/// Opus packets of 20 ms.
pub(super) fn packets(samples: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = OpusEncoder::new(16_000, 1, Application::Voip).unwrap();
    encoder.bitrate_bps = 24_000;
    let encode = |frame: &[i16]| {
        let mut packet = vec![0; 1500];
        let count = encoder.encode_s16(frame, 320, &mut packet).unwrap();
        packet.truncate(count);
        packet
    };
    samples.chunks_exact(320).map(encode).collect()
}

/// Makes a recording of 16 kHz.
pub(super) fn of(samples: &[i16], blocks: Blocks) -> File {
    let head = b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0";
    let audio = element(b"\xe1", &[element(b"\xb5", &48_000_f32.to_be_bytes()), element(b"\x9f", &[1])].concat());
    let track = [
        element(b"\xd7", &[1]),
        element(b"\x83", &[2]),
        element(b"\x86", b"A_OPUS"),
        element(b"\x63\xa2", head),
        audio,
    ];
    let tracks = element(b"\x16\x54\xae\x6b", &element(b"\xae", &track.concat()));
    let ebml = element(b"\x1a\x45\xdf\xa3", &element(b"\x42\x82", b"webm"));
    let segment = b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
    let packets = packets(samples);
    let mut all = Vec::new();
    // A cluster of a second or so, as long as its times fit.
    for (number, cluster) in packets.chunks(50 * blocks.packets).enumerate() {
        let time = u32::try_from(number * 1000 * blocks.packets).unwrap();
        let simple: Vec<_> = cluster
            .chunks(blocks.packets)
            .zip(0_u16..)
            .map(|(packets, index)| {
                let time = (index * 20 * u16::try_from(blocks.packets).unwrap()).to_be_bytes();
                element(b"\xa3", &[&[0x81][..], &time, &laced(packets)].concat())
            })
            .collect();
        let time = element(b"\xe7", &time.to_be_bytes());
        match blocks.cut {
            Cut::Unknown => {
                all.extend(simple);
                let first = all.len() - cluster.chunks(blocks.packets).count();
                all[first] = [b"\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff", &time[..], &all[first]].concat();
            }
            Cut::Known => all.push(element(b"\x1f\x43\xb6\x75", &[time, simple.concat()].concat())),
        }
    }
    File { head: [&ebml[..], segment, &tracks].concat(), blocks: all }
}

/// The flags and the content of a block of these packets, with Xiph's lacing.
fn laced(packets: &[Vec<u8>]) -> Vec<u8> {
    let [rest @ .., _] = packets else { return vec![0x80] };
    if rest.is_empty() {
        return [&[0x80][..], &packets[0]].concat();
    }
    let mut block = vec![0x82, u8::try_from(rest.len()).unwrap()];
    for packet in rest {
        block.extend(std::iter::repeat_n(255, packet.len() / 255));
        block.push(u8::try_from(packet.len() % 255).unwrap());
    }
    block.extend(packets.concat());
    block
}
