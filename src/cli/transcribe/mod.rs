//! `voxgate transcribe`: recordings to transcripts, by a gateway somewhere or by one in this process.
//!
//! - `arguments`, `live_arguments`; `plan`: what is to be done, from `input` and `output_file`
//! - `remote`, `token_source`, `address`, `client`: the gateway that `--url` names; `own_gateway`, `state_folder`: one in this process
//! - `batch`: all recordings; `slots`, `tally`: how many at a time, how many so far; `printer`, `words`, `standard_output`:
//!   what is printed
//! - `request`: one recording; `recording`: its bytes; `retry`: whether it is sent again; `answer`, `form_check`,
//!   `piece_count`: what comes
//! - `transcript`, `heard`, `partial`: what was heard; `error`, `refusal`: why nothing was
//! - `live`: sound that is transcribed while it comes
//! - `run`, `run_error`, `exit_status`: one run, and its result
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
mod exit_status;
mod form_check;
mod heard;
mod input;
mod interrupts;
mod jitter;
mod live;
mod live_arguments;
mod output_file;
mod own_gateway;
mod partial;
mod piece_count;
mod plan;
mod printer;
mod recording;
mod recording_progress;
mod refusal;
mod remote;
mod request;
mod retry;
mod run;
mod run_error;
mod slots;
mod standard_output;
mod state_folder;
mod tally;
mod token_source;
mod transcript;
mod words;

pub(super) use arguments::Arguments;
pub(super) use exit_status::NOTHING_TRIED;
pub(super) use run::run;
