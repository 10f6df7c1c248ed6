//! Loss and gradient for given windows as a document, and what comes back of it.

use serde::Serialize;

use super::training::{Given, one, program, values};
use super::{CAPACITY, Content, Program};
use crate::backend::gpu::gradient::{Answer, alone, quads, states_len};
use crate::backend::gpu::layout::Arrangement;
use crate::backend::gpu::layout::plain::Layout;
use crate::backend::gpu::memory::params::{Params, Status};
use crate::backend::gpu::schedule::step::params;
use crate::backend::{EnsembleStart, Form, Gradient, Member, Windows};
use crate::error::{Error, Result};
use crate::model::{Shape, Theta};

/// A gradient to compute: the stages of phase `forward`, after which `states` is read, then those of phase `backward`, after
/// which `partial` and `status` are.
#[derive(Clone, Debug, Serialize)]
pub struct GradientTask {
    pub program: Program,
    pub params: Content,
    #[serde(skip)]
    shape: Shape,
    #[serde(skip)]
    forms: Vec<Arrangement>,
}

impl GradientTask {
    /// # Errors
    /// As [`crate::backend::Backend::gradient`].
    pub fn new(shape: Shape, member: &Member, form: Form, theta: &Theta, windows: &Windows) -> Result<Self> {
        let EnsembleStart { plan, data, state } = alone(shape, member, form, theta, windows)?;
        let layout = Layout::new(shape, data.has_missing, CAPACITY);
        let given = Given {
            windows: Some([quads(&layout, windows.x.view()), quads(&layout, windows.s.view())]),
            // A kernel that did not run must not look like a gradient of 0.
            fill: 0xff,
        };
        let (training, mut groups) = program(&plan, &data, &state, &given)?;
        Ok(Self {
            program: training.program,
            params: one(&Params {
                gradient_only: 1,
                ..params(&plan, 0, 0)
            }),
            shape,
            forms: groups.swap_remove(0).0,
        })
    }

    /// The gradient by the bytes of the buffers that were read.
    ///
    /// # Errors
    /// When there are too few of them.
    pub fn decode(
        &self,
        theta: &Theta,
        windows: &Windows,
        [states, partial, status]: [&[u8]; 3],
    ) -> Result<Gradient> {
        let status = values::<Status>(status, size_of::<Status>())?[0];
        let form = self.forms.get(status.form as usize);
        let form = form.ok_or_else(|| Error::runtime(format!("there is no form {}", status.form)))?;
        let answer = Answer {
            status,
            states: values(states, 16 * states_len(form))?,
            partial: values(partial, 4 * form.layout().partial_len())?,
        };
        Ok(answer.decode(form, self.shape, theta, windows))
    }
}
