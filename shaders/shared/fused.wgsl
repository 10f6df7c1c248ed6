// The almost-linear form with all of a block in workgroup memory, for few ReLU units, none of them observed, and no inputs. What
// a block makes of its start and its drives is one matrix, [G_j ; B^l] beside Toeplitz blocks of K_l and R_l:
//   rows     [y_1 .. y_J (Y each) ; z_l (M) for each of the ENDS]        LEFT
//   columns  [z~ (M) | drives u_i (P each), i < LENGTH | 1]              COLUMNS + 1
// See blocked.wgsl for `table` and `powers`; the buffers are the same as in blocked/. Products are unrolled over columns; a
// thread makes some rows of one quad, whose weights lie side by side: `vec2` or `vec4`, or a number where it makes one.

const COLUMNS: u32 = M + LENGTH * P;

// Row of step j's (from 1 on) unit q, and of unit m at an end.
fn row_of(j: u32, q: u32) -> u32 {
    return (j - 1) * Y + q;
}

fn row_of_end(end: u32, m: u32) -> u32 {
    return J * Y + end * M + m;
}

// An entry of the matrix, of the member whose powers begin at `base`.
fn entry(base: u32, row: u32, column: u32) -> f32 {
    // Drive d of step i.
    let i = (max(column, M) - M) / P;
    let d = (max(column, M) - M) % P;
    if row < J * Y {
        let before = row / Y;
        if column < M {
            return powers[base + G_AT + (row + Y) * M + column];
        }
        if column == COLUMNS {
            return powers[base + CC_AT + row];
        }
        if i > before {
            return 0.0;
        }
        return powers[base + K_AT + ((before - i) * Y + row % Y) * H + d];
    }
    let end = (row - J * Y) / M;
    let m = (row - J * Y) % M;
    if column < M {
        return powers[base + ET_AT + (end * M + column) * M + m];
    }
    if column == COLUMNS {
        return powers[base + GE_AT + end * M + m];
    }
    let length = table[BLOCKS + MATRICES + end].x;
    if i >= length {
        return 0.0;
    }
    return powers[base + RT_AT + ((length - 1 - i) * H + d) * M + m];
}

// From drive d to ReLU unit p, l steps later: entry (l, p, d) of [J][P][P].
fn feedback_at(base: u32, k: u32) -> f32 {
    return powers[base + K_AT + (k / (P * P) * Y + N + k / P % P) * H + k % P];
}
