#![allow(non_snake_case, reason = "flags are the paper's symbols")]

use std::any::TypeId;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use toml::Table;

use crate::analysis::AnalysisSettings;
use crate::backend::{self, Backend};
use crate::cli::choices::word;
use crate::config::values::{
    ABOVE_0, COUNT, EPOCHS, FREE_RUN, GENERATIONS, HOLD_OUT, POLISH, SMOOTHING, THREADS,
};
use crate::config::{
    BackendChoice, DstspChoice, Form, Grid, Optimizer, PRESETS, ROBUST, Seeds, Settings, Shard,
};
use crate::error::{Error, Result};
use crate::systems::{SHARE, SimulateRequest};

/// Heading of the flags that span a study's grid.
const GRIDS: &str = "Model and training (a GRID is 2, or 8,16, or 0..5, or 8..32:8)";

/// Reconstruct dynamical systems from time series with Almost-Linear RNNs.
#[derive(Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a model, or a study of many, on observations
    Train(Box<TrainArgs>),
    /// How many ReLUs do these data need? Trains a grid of P × seeds and says which is the fewest, and what is proven
    Minimal(Box<MinimalArgs>),
    /// Whether models agree: matched regions, transition graphs, fixed points
    Compare(CompareArgs),
    /// Continue trained models on the score itself: free runs as the data's in density, spectrum and exponent
    Polish(PolishArgs),
    /// Score models, or trajectories of any program (--generated), on data: D_stsp, D_H, PE(n)
    Evaluate(EvaluateArgs),
    /// Run a model freely and save the trajectory
    Generate(GenerateArgs),
    /// Read a model: linear regions, symbols, fixed points, cycles, periodic orbits of a flow, Lyapunov spectrum
    Analyze(AnalyzeArgs),
    /// Write one HTML file about a run: scores, pictures, regions, fixed points
    Report(ReportArgs),
    /// Write one HTML page that trains a model in its visitor's browser (WebGPU)
    Page(Box<PageArgs>),
    /// Join the run folders of a study's parts (train --shard) into one
    Merge(MergeArgs),
    /// Make data of a benchmark system
    Simulate(SimulateArgs),
    /// Check that this machine's device computes gradients right
    Selftest(SelftestArgs),
    /// List graphics adapters, their limits, and which one `auto` takes
    Devices(DevicesArgs),
}

/// Flags of `train`. What is serialised is a layer of settings: only flags that were given.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub data: DataArgs,
    /// Held-out data to score on, in the place of the training data
    #[arg(long, num_args = 1.., value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test: Vec<String>,
    /// External inputs of the held-out data
    #[arg(long, num_args = 1.., value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_inputs: Vec<String>,
    /// Share of the rows to hold out, in the place of --test: the last ones, of several trials whole trials [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Data", value_parser = HOLD_OUT.parser())]
    pub hold_out: Option<f64>,
    #[command(flatten)]
    #[serde(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub schedule: ScheduleArgs,
    /// End training with the state of each model that scored best on its way
    #[arg(long, help_heading = "Schedule", num_args = 0..=1, default_missing_value = "true", value_name = "true|false")]
    pub restore_best: Option<bool>,
    /// Generations of polishing on the score itself after training, 0 for none
    #[arg(long, value_name = "N", help_heading = "Schedule", value_parser = POLISH.parser::<u32>())]
    pub polish: Option<u32>,

    /// Epochs between two scorings
    #[arg(long, value_name = "N", help_heading = "Scores", value_parser = EPOCHS.parser::<u32>())]
    pub eval_every: Option<u32>,
    #[command(flatten)]
    #[serde(flatten)]
    pub metrics: MetricArgs,

    #[command(flatten)]
    #[serde(flatten)]
    pub from: FromArgs,
    /// Train only the i-th of n parts of the study, in a job array for example $SLURM_ARRAY_TASK_ID/4 [default: all]
    #[arg(long, value_name = "i/n", help_heading = "Run")]
    pub shard: Option<Shard>,
    /// Run folder to make
    #[arg(
        long,
        value_name = "FOLDER",
        help = "Run folder to make [default: runs/<data>-<date>-<time>]",
        help_heading = "Run"
    )]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Continue the run in this folder; with --out and no RUN: continue what is there, or start
    #[arg(long, value_name = "RUN", num_args = 0..=1, help_heading = "Run")]
    #[serde(skip)]
    pub resume: Option<Option<PathBuf>>,
    /// Time the GPU's kernels on this study's first steps, print them and stop
    #[arg(long, conflicts_with = "resume", help_heading = "Run")]
    #[serde(skip)]
    pub profile: bool,
    /// Print the members' results as JSON
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
    #[command(flatten)]
    #[serde(flatten)]
    pub device: DeviceArgs,
}

/// Flags of `page`, serialised likewise.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PageArgs {
    #[command(flatten)]
    #[serde(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub schedule: ScheduleArgs,
    #[command(flatten)]
    #[serde(flatten)]
    pub from: FromArgs,
    /// Page to write (.html)
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    #[serde(skip)]
    pub out: PathBuf,
}

/// What is trained on.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DataArgs {
    /// Observations: .npy, .npz[:KEY], .csv or .tsv (.gz too); several files are several trials
    #[arg(long, num_args = 1.., value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
    /// External inputs (stimuli, forcings), of the same trials and lengths as the data
    #[arg(long, num_args = 1.., value_name = "FILE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN", help_heading = "Data")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long, help_heading = "Data")]
    #[serde(skip_serializing_if = "not")]
    pub allow_missing: bool,
    /// Z-score the columns; mean and scale are kept in the model
    #[arg(long, help_heading = "Data")]
    #[serde(skip_serializing_if = "not")]
    pub standardize: bool,
    /// Time between two observations, kept in the model
    #[arg(long, value_name = "TIME", help_heading = "Data", value_parser = ABOVE_0.parser())]
    pub dt: Option<f64>,
}

/// What is trained.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelArgs {
    /// Latent dimensions
    #[arg(long = "M", value_name = "GRID", help_heading = GRIDS)]
    #[serde(rename = "M", skip_serializing_if = "Option::is_none")]
    pub M: Option<Grid<usize>>,
    /// ReLU units: the last P of the M
    #[arg(long = "P", value_name = "GRID", help_heading = GRIDS)]
    #[serde(rename = "P", skip_serializing_if = "Option::is_none")]
    pub P: Option<Grid<usize>>,
    /// Teacher-forcing interval in steps
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub tau: Option<Grid<usize>>,
    /// Forcing strength; 1 replaces the state by the observation
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub alpha: Option<Grid<f64>>,
    /// Predicted steps of a training window
    #[arg(long = "T", visible_alias = "seq-len", value_name = "GRID", help_heading = GRIDS)]
    #[serde(rename = "T", skip_serializing_if = "Option::is_none")]
    pub T: Option<Grid<usize>>,
    /// Windows in a batch
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub batch_size: Option<Grid<usize>>,
    /// Standard deviation of the noise added to observations in training
    #[arg(long, value_name = "GRID", help_heading = GRIDS, allow_negative_numbers = true)]
    pub noise: Option<Grid<f64>>,
    /// What the noise decays to exponentially; a noise of 0 stays 0 [default: no decay]
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub noise_end: Option<Grid<f64>>,
    /// Factor that models learn to expand by between two forcings, against the shrinkage of least squares; needs --standardize
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub inflation: Option<Grid<f64>>,
    /// Learning rate of the first epoch
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub start_lr: Option<Grid<f64>>,
    /// Learning rate that decays exponentially towards this
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub end_lr: Option<Grid<f64>>,
    /// Largest global norm of the gradient, 0 for no clipping
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub clip: Option<Grid<f64>>,
    /// Weight of the regularisation that keeps self-feedback small
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub lambda_lat: Option<Grid<f64>>,
    /// Weight of the regularisation of L
    #[arg(long, value_name = "GRID", help_heading = GRIDS)]
    pub lambda_obs: Option<Grid<f64>>,
    /// How many seeds (10 means 0..9), or which (3,7 or 5..9)
    #[arg(long, value_name = "N|LIST", help_heading = GRIDS)]
    pub seeds: Option<Seeds>,
}

/// For how long, and how.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScheduleArgs {
    /// Optimiser
    #[arg(long, help_heading = "Schedule", value_parser = word::<Optimizer>(Optimizer::WORDS))]
    pub optimizer: Option<Optimizer>,
    /// Epochs
    #[arg(long, value_name = "N", help_heading = "Schedule", value_parser = EPOCHS.parser::<u32>())]
    pub epochs: Option<u32>,
    /// Optimiser steps in an epoch
    #[arg(long, value_name = "N", help_heading = "Schedule", value_parser = EPOCHS.parser::<u32>())]
    pub batches_per_epoch: Option<u32>,
    /// Which of the two equal forms of the recurrence to compute
    #[arg(long, help_heading = "Schedule", value_parser = word::<Form>(Form::WORDS))]
    pub form: Option<Form>,
}

/// Settings that flags override.
#[derive(Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FromArgs {
    /// Settings to start from
    #[arg(long, value_name = "NAME", help = format!("Settings to start from: {ROBUST}, chosen by the data [default], or published ones: {}", PRESETS.join(", ")), help_heading = "Run")]
    pub preset: Option<String>,
    /// Settings from a file, such as a run's config.toml; flags override it
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
}

#[derive(Args)]
pub struct MinimalArgs {
    /// Reduce the models of the largest P that succeed: make ReLUs linear or move their borders, fit, polish, and judge what
    /// comes out
    #[arg(long)]
    pub reduce: bool,
    #[command(flatten)]
    pub train: TrainArgs,
}

#[derive(Args)]
pub struct CompareArgs {
    /// Models: RUN (its members, best first), RUN:ID or model files
    #[arg(required = true, value_name = "MODEL")]
    pub models: Vec<String>,
    /// Compare only the N best models of each RUN
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = COUNT.parser::<usize>())]
    pub top: usize,
    /// Data to encode by the models' regions [default: those the first RUN was trained on]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub data: Vec<String>,
    /// External inputs that belong to the data
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "data")]
    pub inputs: Vec<String>,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN", requires = "data")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long, requires = "data")]
    pub allow_missing: bool,
    /// Folder for agreement.json and the picture of the common graph [default: RUN/agreement, else none]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The flags that were given, as a layer of settings.
///
/// # Errors
/// When a number is larger than a settings file can hold.
pub fn layer(flags: &impl Serialize) -> Result<Table> {
    Table::try_from(flags).map_err(|error| Error::input(format!("a number is too large: {error}")))
}

fn not(flag: &bool) -> bool {
    !flag
}

/// How scores are computed.
#[derive(Args, Serialize, Clone)]
#[serde(rename_all = "kebab-case")]
pub struct MetricArgs {
    /// Estimate of D_stsp
    #[arg(long, help_heading = "Scores", value_parser = word::<DstspChoice>(DstspChoice::WORDS))]
    pub dstsp: Option<DstspChoice>,
    /// Histogram bins per dimension of D_stsp by bins
    #[arg(long, value_name = "N", help_heading = "Scores", value_parser = COUNT.parser::<usize>())]
    pub bins: Option<usize>,
    /// Variance of the Gaussians of D_stsp by mixtures
    #[arg(long, value_name = "VARIANCE", help_heading = "Scores", value_parser = ABOVE_0.parser())]
    pub gmm_variance: Option<f64>,
    /// Standard deviation, in frequency bins, of the smoothing of spectra for D_H
    #[arg(long, value_name = "SD", help_heading = "Scores", value_parser = SMOOTHING.parser())]
    pub smoothing: Option<f64>,
    /// Steps n of the prediction error PE(n)
    #[arg(long, value_name = "N", help_heading = "Scores", value_parser = COUNT.parser::<usize>())]
    pub pe_steps: Option<usize>,
}

/// Where to compute.
#[derive(Args, Serialize, Clone)]
#[serde(rename_all = "kebab-case")]
pub struct DeviceArgs {
    /// Device to compute on; auto takes a hardware GPU where there is one
    #[arg(long, help_heading = "Device", value_parser = word::<BackendChoice>(BackendChoice::WORDS))]
    pub backend: Option<BackendChoice>,
    /// Graphics adapter: its number or a part of its name (see `devices`)
    #[arg(long, value_name = "NAME", help_heading = "Device")]
    pub device: Option<String>,
    /// CPU threads [default: all cores]
    #[arg(long, value_name = "N", help_heading = "Device", value_parser = THREADS.parser::<usize>())]
    pub threads: Option<usize>,
}

impl DeviceArgs {
    /// Opens the device asked for.
    pub fn open(&self) -> Result<Arc<dyn Backend>> {
        backend::open(self.backend.unwrap_or_default(), self.device.as_deref())
    }
}

#[derive(Args, Clone)]
pub struct PolishArgs {
    /// RUN (all its members), or a model file together with --data
    pub model: String,
    /// Generations: 24 free runs of 20,480 steps each
    #[arg(long, value_name = "N", value_parser = GENERATIONS.parser::<u32>())]
    pub generations: Option<u32>,
    /// Start from the run's best models (best/) in the place of the last (last/)
    #[arg(long)]
    pub best: bool,
    /// Run folder to make [default: RUN-polished, or the model's name so]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Data that a model file was trained on; a run knows its own
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub data: Vec<String>,
    /// External inputs that belong to them
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "data")]
    pub inputs: Vec<String>,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN", requires = "data")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long, requires = "data")]
    pub allow_missing: bool,
    #[command(flatten)]
    pub metrics: MetricArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print the members' results as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// A model file, RUN (all its members, best first) or RUN:ID; not needed with --generated
    #[arg(required_unless_present = "generated")]
    pub model: Option<String>,
    /// Data to score on
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    pub data: Vec<String>,
    /// External inputs, where the model was trained with them
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub inputs: Vec<String>,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long)]
    pub allow_missing: bool,
    /// Score trajectories that any program made, in the units of the data: each FILE is one candidate, of one trajectory
    /// (T × N, of any length) or one for each trial
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub generated: Vec<String>,
    /// Z-score data and --generated by the data's mean and scale, as `train --standardize` does: for comparison with its
    /// scores where D_stsp is of the Gaussian kind, which depends on units. A model brings its own scale
    #[arg(long, requires = "generated", conflicts_with = "model")]
    pub standardize: bool,
    #[command(flatten)]
    pub metrics: MetricArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct GenerateArgs {
    /// A model file, RUN (its best member) or RUN:ID
    pub model: String,
    /// Data with the observation to start from
    #[arg(long, num_args = 1, required = true, value_name = "FILE")]
    pub data: Vec<String>,
    /// External inputs that drive the run
    #[arg(long, num_args = 1, value_name = "FILE")]
    pub inputs: Vec<String>,
    /// Row of the data to start from, counted from 0 [default: the first; the first complete one where values are missing]
    #[arg(long, value_name = "K", allow_negative_numbers = true, value_parser = row)]
    pub start: Option<usize>,
    /// Steps to run; row 0 of the result is the start, so it has one row more [default: to the end of the data]
    #[arg(long, value_name = "N", value_parser = FREE_RUN.parser::<usize>())]
    pub steps: Option<usize>,
    /// Trajectory to write (.npy or .csv), in the units of the data
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Write all latent states (model units) beside it, as FILE-latent.npy
    #[arg(long)]
    pub latent: bool,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long)]
    pub allow_missing: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// A row number of the data.
fn row(text: &str) -> std::result::Result<usize, String> {
    text.parse()
        .map_err(|_| "rows are counted from 0: a whole number, 0 for the first".into())
}

#[derive(Args)]
pub struct AnalyzeArgs {
    /// A model file, RUN (its best member) or RUN:ID
    pub model: String,
    /// Data to encode by the model's regions [default: those the run was trained on]
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub data: Vec<String>,
    /// External inputs that belong to the data
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub inputs: Vec<String>,
    /// Columns of the data to leave out, such as a clock: names, or numbers counted from 1
    #[arg(long, num_args = 1.., value_name = "COLUMN")]
    pub drop: Vec<String>,
    /// Take NaN as a missing observation
    #[arg(long)]
    pub allow_missing: bool,
    /// Folder for analysis.json, analysis.npz, transitions.dot and pictures [default: RUN/analysis/ID, or beside the model]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Steps of the free run
    #[arg(long, value_name = "N", value_parser = AnalysisSettings::STEPS.parser::<usize>())]
    pub steps: Option<usize>,
    /// Steps dropped before them
    #[arg(long, value_name = "N", value_parser = AnalysisSettings::TRANSIENT.parser::<usize>())]
    pub transient: Option<usize>,
    /// Longest period of the cycles searched for, in steps, and longest word of a flow's periodic orbits, in turns (up to 32)
    #[arg(long, value_name = "N", value_parser = AnalysisSettings::PERIOD.parser::<usize>())]
    pub max_period: Option<usize>,
    /// Longest words of the n-gram table and the list of forbidden words
    #[arg(long, value_name = "N", value_parser = AnalysisSettings::WORD.parser::<usize>())]
    pub max_word_length: Option<usize>,
    /// Linear solves spent on each period
    #[arg(long, value_name = "N", value_parser = AnalysisSettings::BUDGET.parser::<usize>())]
    pub search_budget: Option<usize>,
    /// Time between two observations, for exponents per unit of time [default: the model's, if it has one]
    #[arg(long, value_name = "TIME", value_parser = ABOVE_0.parser())]
    pub dt: Option<f64>,
    /// List which ReLUs may be made linear without merging regions that hold different fixed points
    #[arg(long)]
    pub reduce: bool,
    /// Seed of surrogates and searches
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ReportArgs {
    /// Run folder
    pub run: PathBuf,
    /// Longest free run drawn, in steps
    #[arg(long, value_name = "N", value_parser = COUNT.parser::<usize>())]
    pub steps: Option<usize>,
    /// A member succeeded where its D_stsp is below this many times the noise floor
    #[arg(long, value_name = "FACTOR", value_parser = ABOVE_0.parser())]
    pub success_factor: Option<f64>,
}

#[derive(Args)]
pub struct MergeArgs {
    /// Run folders of the parts
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Run folder to make
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

#[derive(Args)]
pub struct SimulateArgs {
    /// Name of the system; leave it out for a list
    pub system: Option<String>,
    /// Rows to make
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = SimulateRequest::STEPS.parser::<usize>())]
    pub steps: usize,
    /// File to write (.npy or .csv)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// File for the inputs of a driven system [default: beside --out]
    #[arg(long, value_name = "FILE")]
    pub inputs_out: Option<PathBuf>,
    /// Time between rows [default: the system's own]
    #[arg(long, value_name = "TIME", value_parser = SimulateRequest::DT.parser())]
    pub dt: Option<f64>,
    /// Dimension, where the system has any
    #[arg(long, value_name = "N", value_parser = COUNT.parser::<usize>())]
    pub dims: Option<usize>,
    /// Seed of the initial state (and of noise and gaps)
    #[arg(long, default_value_t = 0)]
    pub seed: u32,
    /// Keep the system's own units in the place of z-scores
    #[arg(long)]
    pub raw: bool,
    /// Standard deviation of noise added to every column, in its standard deviations
    #[arg(long, value_name = "SD", default_value_t = 0.0, value_parser = SimulateRequest::NOISE.parser())]
    pub noise: f64,
    /// Share of values to replace by NaN
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = SHARE.parser())]
    pub gaps: f64,
}

#[derive(Args)]
pub struct SelftestArgs {
    /// Folder of golden cases (.npz) to run in the place of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub cases: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Writes each default into its flag's help: defaults live in [`Settings`] alone.
pub fn with_defaults_in_help(command: clap::Command) -> clap::Command {
    let defaults = toml::Table::try_from(Settings::default()).expect("defaults are a TOML table");
    let describe = move |arg: clap::Arg| {
        let key = arg.get_long().unwrap_or_default();
        let text = match defaults.get(key) {
            Some(toml::Value::String(text)) => text.clone(),
            Some(toml::Value::Array(list)) if key == "seeds" => list.len().to_string(),
            Some(value @ (toml::Value::Integer(_) | toml::Value::Float(_))) => value.to_string(),
            _ => return arg,
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(format!("{help} [default: {text}]"))
    };
    ["train", "page", "evaluate", "minimal"]
        .into_iter()
        .fold(command, |command, name| {
            command.mut_subcommand(name, |sub| sub.mut_args(&describe))
        })
}

/// Lets what follows a flag that takes a number begin with a minus sign, so that it is the number that is refused and
/// not a flag `-1` or `-i`.
pub fn with_signs(command: clap::Command) -> clap::Command {
    let sign = |arg: clap::Arg| {
        let number = is_number(&arg);
        arg.allow_hyphen_values(number)
    };
    command.mut_subcommands(|sub| sub.mut_args(sign))
}

/// Whether a flag takes a number, or numbers.
pub fn is_number(arg: &clap::Arg) -> bool {
    let kinds = [
        TypeId::of::<usize>(),
        TypeId::of::<u32>(),
        TypeId::of::<f64>(),
        TypeId::of::<Grid<usize>>(),
        TypeId::of::<Grid<f64>>(),
        TypeId::of::<Seeds>(),
        TypeId::of::<Shard>(),
    ];
    let kind = arg.get_value_parser().type_id();
    arg.get_action().takes_values() && kinds.iter().any(|known| kind == *known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        with_signs(with_defaults_in_help(Cli::command())).debug_assert();
    }

    /// Every setting has a flag of its name, and the help shows every default.
    #[test]
    fn every_setting_is_a_flag() {
        let mut command = with_defaults_in_help(Cli::command());
        let train = command.find_subcommand_mut("train").expect("train");
        let help = train.render_long_help().to_string();
        for (key, value) in toml::Table::try_from(Settings::default()).expect("table") {
            assert!(help.contains(&format!("--{key}")), "no flag --{key}");
            if let toml::Value::Integer(_) | toml::Value::Float(_) = value {
                assert!(
                    help.contains(&format!("[default: {value}]")),
                    "help lacks the default of --{key}"
                );
            }
        }
    }
}
