use fluvio_smartmodule::{smartmodule, Error, Result, SmartModuleRecord};

#[smartmodule(filter)]
fn is_even(record: &SmartModuleRecord) -> Result<bool> {
    let text = std::str::from_utf8(record.value().as_ref())?;
    let number: i32 = text.parse().map_err(|error| {
        Error::new::<std::num::ParseIntError>(error)
            .wrap_err("Failed to parse int")
            .wrap_err("Oops something went wrong")
    })?;
    Ok(number % 2 == 0)
}
