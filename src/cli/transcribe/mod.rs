//! `voxgate transcribe`: recordings to transcripts, by a gateway somewhere or by one in this process.
//!
//! - `arguments`; `plan`: what is to be done, from `input` and `output_file`
//! - `token_source`, `address`, `client`: the gateway that `--url` names; `own_gateway`, `state_folder`: one in this process
//! - `batch`: all recordings; `slots`, `tally`: how many at a time, how many so far; `printer`, `words`, `standard_output`:
//!   what is printed
//! - `request`: one recording; `recording`: its bytes; `retry`: whether it is sent again; `answer`, `form_check`,
//!   `piece_count`: what comes
//! - `transcript`, `heard`, `partial`: what was heard; `error`, `refusal`: why nothing was
//! - `display`, `recording_progress`, `amounts`: what a person sees; `interrupts`: what stops it

mod address;
mod amounts;
mod answer;
mod arguments;
mod batch;
mod client;
mod display;
mod environment;
mod error;
mod form_check;
mod heard;
mod input;
mod interrupts;
mod output_file;
mod own_gateway;
mod partial;
mod piece_count;
mod plan;
mod printer;
mod recording;
mod recording_progress;
mod refusal;
mod request;
mod retry;
mod run;
mod slots;
mod standard_output;
mod state_folder;
mod tally;
mod token_source;
mod transcript;
mod words;

pub(super) use arguments::Arguments;
pub(super) use run::{NOTHING_TRIED, run};
