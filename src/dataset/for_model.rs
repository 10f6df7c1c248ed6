use crate::dataset::{Dataset, LoadRequest, load};
use crate::error::{Error, Result};
use crate::model::Model;

/// Loads data for a model, in the model's units and columns.
///
/// # Errors
/// When columns or inputs are not those of the model.
pub fn load_for(
    model: &Model,
    data: &[String],
    inputs: &[String],
    drop: &[String],
    allow_missing: bool,
) -> Result<Dataset> {
    let dims = model.theta.dims();
    if dims.K > 0 && inputs.is_empty() {
        return Err(
            Error::input(format!("the model was trained with {} external inputs", dims.K))
                .with_hint("give the inputs that belong to the data: --inputs FILE"),
        );
    }
    let dataset = load(&LoadRequest {
        data: data.to_vec(),
        inputs: inputs.to_vec(),
        drop: drop.to_vec(),
        allow_missing,
        scaling: model.scaling.clone(),
        width: Some(dims.N),
        columns: model.columns.clone(),
        input_columns: model.input_columns.clone(),
        ..LoadRequest::default()
    })?;
    check_columns("--data", &dataset, dims.N, dims.K)?;
    dataset.warn_of_offsets();
    Ok(dataset)
}

/// Refuses data whose columns are not the ones expected; `flag` is what gave them.
pub fn check_columns(flag: &str, data: &Dataset, N: usize, K: usize) -> Result<()> {
    if data.N != N {
        return Err(Error::input(format!(
            "{flag}: the data have {} columns, the model observes N = {N}",
            data.N
        ))
        .with_hint("leave out what the model does not know: --drop COLUMN"));
    }
    if data.K != K {
        return Err(Error::input(format!(
            "{flag}: there are {} external inputs, the model has K = {K}",
            data.K
        )));
    }
    Ok(())
}
