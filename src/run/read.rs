use std::path::{Path, PathBuf};

use toml::Table;

use crate::config::{Settings, parse_file, resolve};
use crate::error::{Error, Result, nearest};
use crate::run::tables::{read_log, read_members};
use crate::run::{LogRow, MemberRow, Record, RunFolder};

/// A run folder as a reader finds it, whether its training goes on, was cut off or has finished.
#[derive(Debug)]
pub struct Run {
    /// Where everything lies: tables, `best/`, `last/`, the checkpoint.
    pub folder: RunFolder,
    /// `config.toml` as it stands.
    pub config: String,
    pub settings: Settings,
    pub record: Record,
}

impl Run {
    /// # Errors
    /// When this is no run folder, or its `config.toml` is not whole.
    pub fn read(root: &Path) -> Result<Self> {
        let folder = RunFolder::open(root)?;
        let path = folder.config();
        let config = std::fs::read_to_string(&path).map_err(|source| Error::io("read", &path, source))?;
        // First: its table is the last of the file, so nothing of a file that was cut off is taken for the whole.
        let record = Record::parse(&config, &path)?;
        let settings = resolve(Some((&path, parse_file(&config, &path)?)), Table::new())?;
        Ok(Self {
            folder,
            config,
            settings,
            record,
        })
    }

    pub fn is_finished(&self) -> bool {
        self.record.finished.is_some()
    }

    /// The rows of `members.csv`, in the study's order.
    pub fn members(&self) -> Result<Vec<MemberRow>> {
        read_members(&self.folder.members())
    }

    /// The rows of `log.csv`; none where there is no such file (yet).
    pub fn log(&self) -> Result<Vec<LogRow>> {
        let path = self.folder.log();
        if path.is_file() {
            read_log(&path)
        } else {
            Ok(Vec::new())
        }
    }

    /// The file of a member's best model, where there is one.
    pub fn model(&self, id: &str) -> Option<PathBuf> {
        Some(self.folder.best(id)).filter(|path| path.is_file())
    }

    /// `(id, file)` of every member with a model, the best member first.
    pub fn models(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut rows = self.members()?;
        rows.sort_by(MemberRow::compare);
        let models = rows
            .into_iter()
            .filter_map(|row| self.model(&row.id).map(|path| (row.id, path)));
        Ok(models.collect())
    }

    /// The file of one member's model.
    fn model_of(&self, id: &str) -> Result<PathBuf> {
        let root = self.folder.root().display();
        let rows = self.members()?;
        if !rows.iter().any(|row| row.id == id) {
            let near = nearest(id, rows.iter().map(|row| row.id.as_str()))
                .map_or_else(String::new, |near| format!("did you mean '{near}'? "));
            return Err(Error::input(format!("the run {root} has no member '{id}'"))
                .with_hint(format!("{near}members.csv lists all {}", rows.len())));
        }
        self.model(id).ok_or_else(|| {
            Error::input(format!("member {id} of {root} has no scored model"))
                .with_hint("it diverged before its first evaluation, or none has happened yet")
        })
    }
}

/// What a command's `MODEL` argument names: a file, a run's best member, or one member of a run (`RUN:ID`).
#[derive(Clone, Debug, PartialEq)]
pub enum ModelRef {
    File(PathBuf),
    Run(PathBuf),
    Member(PathBuf, String),
}

impl ModelRef {
    /// Reads the argument; an existing path wins over a colon in it.
    pub fn parse(text: &str) -> Self {
        let path = Path::new(text);
        if path.is_dir() {
            return Self::Run(path.to_path_buf());
        }
        if !path.exists()
            && let Some((run, id)) = text.rsplit_once(':')
            && Path::new(run).is_dir()
        {
            return Self::Member(PathBuf::from(run), id.to_owned());
        }
        Self::File(path.to_path_buf())
    }

    /// The run that it names.
    pub fn run(&self) -> Result<Option<Run>> {
        match self {
            Self::File(_) => Ok(None),
            Self::Run(run) | Self::Member(run, _) => Run::read(run).map(Some),
        }
    }

    /// The model files meant, best first where it is a run: `(id, path)`.
    ///
    /// # Errors
    /// When the run has no such member, or none with a score.
    pub fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        match self {
            Self::File(path) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                Ok(vec![(name.into_owned(), path.clone())])
            }
            Self::Member(run, id) => Ok(vec![(id.clone(), Run::read(run)?.model_of(id)?)]),
            Self::Run(run) => {
                let models = Run::read(run)?.models()?;
                if models.is_empty() {
                    return Err(
                        Error::input(format!("the run {} has no scored model yet", run.display()))
                            .with_hint("models appear under best/ with the first evaluation (--eval-every)"),
                    );
                }
                Ok(models)
            }
        }
    }
}
