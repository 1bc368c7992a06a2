//! `voxgate transcribe --live`: sound from standard input is transcribed while it comes.
//!
//! - `run`: one run, with its signals and its result; `conversation`: the sessions that it takes
//! - `sound`: the sound between standard input and the gateway; `kept_sound`: what is kept of it; `sound_format`, `piece`
//! - `session`: one session; `sending`: its sound; `reading`: its events; `event`
//! - `link`: the requests; `answer`: whether to ask again; `outage`: how long; `token_renewal`
//! - `output`: the words on standard output; `running_text`, `json_lines`: two of its forms
//! - `report`: the messages for a person; `error`: why a run has ended early

mod answer;
mod conversation;
mod error;
mod event;
mod json_lines;
mod kept_sound;
mod link;
mod outage;
mod output;
mod piece;
mod reading;
mod report;
mod run;
mod running_text;
mod sending;
mod session;
mod sound;
mod sound_format;
mod token_renewal;

#[cfg(test)]
mod tests;

pub(super) use run::run;
