//! Apache Parquet: typed columns, for pandas, polars, DuckDB and others.
//! <https://parquet.apache.org/docs/file-format/>
//!
//! Of the format only what a table of optional columns needs: plain encoding, pages compressed by
//! gzip. Units are in the metadata of the file, as JSON under `units`, and in that of each column
//! under `unit`. (The crate `parquet` would cost a dozen crates.)

mod column;
mod thrift;

use std::io;

use serde_json::{Map, Value};

use super::columns::{ColumnKind, ExportColumn, ExportTable};
use super::{Destination, ExportFormat, ExportedMolecule, LeftOut, MoleculeWriter, Writing};
use column::ColumnBuffer;
use thrift::Struct;

pub(super) static FORMAT: ExportFormat = ExportFormat {
    name: "parquet",
    is_binary: true,
    has_calculations: false,
    has_states: false,
    writing: Writing::Whole(begin),
};

/// First and last bytes of a file.
const MAGIC: &[u8] = b"PAR1";
/// Rows of a row group, which is held in memory.
const GROUP: usize = 10_000;

struct ParquetWriter<'a> {
    table: &'a ExportTable,
    out: &'a mut Destination<'a>,
    /// Bytes that have been written.
    offset: i64,
    /// The row group that is being filled.
    columns: Vec<ColumnBuffer>,
    rows: usize,
    groups: Vec<Struct>,
    all_rows: usize,
}

fn begin<'a>(
    table: &'a ExportTable,
    out: &'a mut Destination<'a>,
) -> io::Result<Box<dyn MoleculeWriter + 'a>> {
    out.write_all(MAGIC)?;
    Ok(Box::new(ParquetWriter {
        table,
        out,
        offset: MAGIC.len() as i64,
        columns: buffers(table),
        rows: 0,
        groups: Vec::new(),
        all_rows: 0,
    }))
}

fn buffers(table: &ExportTable) -> Vec<ColumnBuffer> {
    let kinds = table.columns.iter().map(|column| column.kind);
    kinds.map(ColumnBuffer::new).collect()
}

impl MoleculeWriter for ParquetWriter<'_> {
    fn write(&mut self, molecule: &ExportedMolecule) -> io::Result<Option<LeftOut>> {
        for (column, value) in self.columns.iter_mut().zip(&molecule.values) {
            column.push(value);
        }
        self.rows += 1;
        if self.rows == GROUP {
            self.end_group()?;
        }
        Ok(None)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.rows > 0 {
            self.end_group()?;
        }
        let footer = self.footer().into_bytes();
        self.out.write_all(&footer)?;
        self.out.write_all(&(footer.len() as u32).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()
    }
}

impl ParquetWriter<'_> {
    /// Writes the rows in memory as a row group.
    fn end_group(&mut self) -> io::Result<()> {
        let begun = self.offset;
        let mut chunks = Vec::new();
        let buffers = std::mem::replace(&mut self.columns, buffers(self.table));
        for (buffer, column) in buffers.into_iter().zip(&self.table.columns) {
            let page = buffer.into_page()?;
            self.out.write_all(&page.bytes)?;
            let mut metadata = Struct::new();
            metadata
                .int32(1, physical_type(column.kind))
                // Plain values, run lengths of the definition levels.
                .list_of_int32(2, &[0, 3])
                .list_of_text(3, &[&column.name])
                .int32(4, column::GZIP)
                .int64(5, self.rows as i64)
                .int64(6, page.uncompressed_size)
                .int64(7, page.bytes.len() as i64);
            if !column.unit.is_empty() {
                metadata.list(8, vec![key_value("unit", &column.unit)]);
            }
            metadata.int64(9, self.offset);
            let mut chunk = Struct::new();
            chunk.int64(2, self.offset).nested(3, metadata);
            chunks.push(chunk);
            self.offset += page.bytes.len() as i64;
        }
        let mut group = Struct::new();
        group
            .list(1, chunks)
            .int64(2, self.offset - begun)
            .int64(3, self.rows as i64);
        self.groups.push(group);
        self.all_rows += self.rows;
        self.rows = 0;
        Ok(())
    }

    /// Metadata of the file.
    fn footer(&mut self) -> Struct {
        let mut root = Struct::new();
        root.text(4, "run")
            .int32(5, self.table.columns.len() as i32);
        let columns = self.table.columns.iter().map(schema_element);
        let schema = [root].into_iter().chain(columns).collect();
        let units = self.table.columns.iter();
        let units: Map<String, Value> = units
            .filter(|column| !column.unit.is_empty())
            .map(|column| (column.name.clone(), column.unit.clone().into()))
            .collect();
        let created_by = concat!("moldflow version ", env!("CARGO_PKG_VERSION"));
        let mut footer = Struct::new();
        footer
            .int32(1, 1)
            .list(2, schema)
            .int64(3, self.all_rows as i64)
            .list(4, std::mem::take(&mut self.groups))
            .list(
                5,
                vec![
                    key_value("campaign", &self.table.run.campaign),
                    key_value("units", &Value::Object(units).to_string()),
                ],
            )
            .text(6, created_by);
        footer
    }
}

fn key_value(key: &str, value: &str) -> Struct {
    let mut pair = Struct::new();
    pair.text(1, key).text(2, value);
    pair
}

/// Number of the type of the stored values.
fn physical_type(kind: ColumnKind) -> i32 {
    match kind {
        ColumnKind::Flag => 0,
        ColumnKind::Integer | ColumnKind::Time => 2,
        ColumnKind::Number => 5,
        ColumnKind::Text => 6,
    }
}

/// Name and type of an optional column.
fn schema_element(column: &ExportColumn) -> Struct {
    let mut element = Struct::new();
    element
        .int32(1, physical_type(column.kind))
        .int32(3, 1)
        .text(4, &column.name);
    let mut logical = Struct::new();
    match column.kind {
        ColumnKind::Text => {
            logical.nested(1, Struct::new());
            element.int32(6, 0).nested(10, logical);
        }
        ColumnKind::Time => {
            let mut unit = Struct::new();
            unit.nested(1, Struct::new());
            let mut timestamp = Struct::new();
            timestamp.flag(1, true).nested(2, unit);
            logical.nested(8, timestamp);
            element.int32(6, 9).nested(10, logical);
        }
        ColumnKind::Flag | ColumnKind::Integer | ColumnKind::Number => {}
    }
    element
}
