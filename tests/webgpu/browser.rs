//! Chromium with WebGPU on its software driver, and jobs for a page in it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use alrnn_gpu::backend::gpu::export::HOST;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::TempDir;
use tiny_http::{Header, Request, Response, Server};

use crate::chromium;

const PAGE: &str = include_str!("jobs.html");
/// How long a job may take.
const LIMIT: Duration = Duration::from_secs(400);

/// Chromium with WebGPU, on a processor where there is no GPU.
pub fn with_webgpu(program: &Path, folder: &Path) -> Command {
    let mut command = chromium::headless(program, folder);
    command.args([
        "--enable-unsafe-webgpu",
        "--enable-features=Vulkan,WebGPU",
        "--use-vulkan=swiftshader",
        "--use-webgpu-adapter=swiftshader",
    ]);
    command
}

/// The browser, started at the first job.
pub struct Browser {
    program: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    server: Server,
    /// The page's question for a job, where it has asked and none has been given.
    waiting: Option<Request>,
    child: Child,
    folder: TempDir,
}

impl Browser {
    pub fn new(program: PathBuf) -> Self {
        Self {
            program,
            running: Mutex::new(None),
        }
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Has a job done: a document whose `kind` is one of those in `jobs.html`.
    pub fn ask(&self, job: &Value) -> Value {
        let mut running = self
            .running
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let running = running.get_or_insert_with(|| Running::start(&self.program));
        let answer = running.ask(job);
        assert!(
            answer.get("error").is_none(),
            "{}",
            answer["error"].as_str().unwrap_or_default()
        );
        answer
    }
}

impl Running {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let server = Server::http("127.0.0.1:0").expect("a port");
        let port = server.server_addr().to_ip().expect("an address").port();
        let child = with_webgpu(program, folder.path())
            .arg(format!("http://127.0.0.1:{port}/"))
            .stdout(File::create(folder.path().join("stdout.txt")).expect("file"))
            .stderr(File::create(folder.path().join("stderr.txt")).expect("file"))
            .spawn()
            .expect("the browser starts");
        Self {
            server,
            waiting: None,
            child,
            folder,
        }
    }

    fn ask(&mut self, job: &Value) -> Value {
        let text = job.to_string();
        let mut job = Some(text);
        let begun = Instant::now();
        loop {
            if let Some(waiting) = self.waiting.take_if(|_| job.is_some()) {
                reply(waiting, &job.take().unwrap_or_default(), "application/json");
            }
            let left = LIMIT.saturating_sub(begun.elapsed());
            let request = self.server.recv_timeout(left).expect("the server runs");
            let Some(mut request) = request else {
                panic!("no answer within {LIMIT:?}; the browser said:\n{}", self.said());
            };
            match request.url() {
                "/" => reply(request, PAGE, "text/html"),
                "/host.js" => reply(request, HOST, "text/javascript"),
                "/job" => self.waiting = Some(request),
                "/answer" => {
                    let mut body = String::new();
                    request
                        .as_reader()
                        .read_to_string(&mut body)
                        .expect("the whole answer");
                    reply(request, "", "text/plain");
                    return serde_json::from_str(&body).expect("JSON");
                }
                _ => request.respond(Response::empty(404)).unwrap_or_default(),
            }
        }
    }

    /// What the browser wrote to stderr.
    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.txt")).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn reply(request: Request, text: &str, kind: &str) {
    let header: Header = format!("Content-Type: {kind}").parse().expect("a header");
    // A page that is gone does not want it.
    drop(request.respond(Response::from_string(text).with_header(header)));
}

/// Bytes out of an answer.
pub fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().expect("base64")).expect("base64")
}
