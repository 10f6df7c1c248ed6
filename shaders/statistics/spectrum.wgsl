// Power spectra of a run, averaged over half-overlapping segments of a Hann window (Welch, 1967), and how rough it is:
//   Hellinger distance of the spectrum, normalised to sum 1, from the data's; 1 where there is none
//   mean |second difference|
//
// Workgroup = (model, column). A segment's SEGMENT values are HALF = SEGMENT / 2 complex ones, whose numbers have BITS bits, transformed in place in workgroup
// memory (radix 2, decimation in time); X_k of the real values follows from entries k and HALF - k. Threads keep the
// power of frequencies lid, lid + THREADS, .. in registers. Writes the model's `answers` of this column (=).
#include "shared/index.wgsl"
#include "shared/runs.wgsl"
#include "shared/reduce.wgsl"

@group(0) @binding(0) var<uniform> params: RunParams;
// Which of the N columns: [COLUMNS]
@group(0) @binding(1) var<storage, read> columns: array<u32>;
// [model][N][rows]
@group(0) @binding(2) var<storage, read> x: array<f32>;
// [SEGMENT]
@group(0) @binding(3) var<storage, read> window: array<f32>;
// exp(-2 pi i k / SEGMENT): [SEGMENT]
@group(0) @binding(4) var<storage, read> turns: array<vec2<f32>>;
// Square roots of the data's normalised power: [COLUMNS][HALF + 1]
@group(0) @binding(5) var<storage, read> amplitudes: array<f32>;
@group(0) @binding(6) var<storage, read_write> answers: array<f32>;

const HALF: u32 = SEGMENT / 2;

var<workgroup> values: array<vec2<f32>, HALF>;

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

// |X_k|^2 of the real values.
fn power_of(k: u32) -> f32 {
    let z = values[k % HALF];
    let mirrored = values[(HALF - k) % HALF];
    let even = 0.5 * vec2(z.x + mirrored.x, z.y - mirrored.y);
    let odd = 0.5 * vec2(z.y + mirrored.y, mirrored.x - z.x);
    let all = even + times(turns[k], odd);
    return dot(all, all);
}

@compute @workgroup_size(THREADS)
fn main(
    @builtin(local_invocation_index) lid: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let unit = linear_workgroup(group, groups);
    let e = unit / COLUMNS;
    if e >= params.models {
        return;
    }
    let first = (e * N + columns[unit % COLUMNS]) * params.rows;

    var sum = 0.0;
    for (var t = lid; t < params.rows; t += THREADS) {
        sum += x[first + t];
    }
    let mean = workgroup_sum(lid, sum) / f32(params.rows);
    var bends = 0.0;
    for (var t = lid; t + 2 < params.rows; t += THREADS) {
        bends += abs(x[first + t + 2] - 2.0 * x[first + t + 1] + x[first + t]);
    }
    let all_bends = workgroup_sum(lid, bends);

    #for p in range(POWERS)
    var power_$p$ = 0.0;
    #endfor
    for (var begin = 0u; begin + SEGMENT <= params.rows; begin += HALF) {
        for (var k = lid; k < HALF; k += THREADS) {
            let at = first + begin + 2 * k;
            let pair = vec2(x[at], x[at + 1]) - vec2(mean);
            values[reverseBits(k) >> (32 - BITS)] = pair * vec2(window[2 * k], window[2 * k + 1]);
        }
        workgroupBarrier();
        for (var span = 1u; span < HALF; span = span * 2) {
            for (var k = lid; k < HALF / 2; k += THREADS) {
                let j = k & (span - 1);
                let low = 2 * (k - j) + j;
                let a = values[low];
                let b = times(turns[j * (HALF / span)], values[low + span]);
                values[low] = a + b;
                values[low + span] = a - b;
            }
            workgroupBarrier();
        }
        #for p in range(POWERS)
        if lid + $p$ * THREADS <= HALF {
            power_$p$ += power_of(lid + $p$ * THREADS);
        }
        #endfor
        workgroupBarrier();
    }

    var total = 0.0;
    #for p in range(POWERS)
    total += power_$p$;
    #endfor
    let all = workgroup_sum(lid, total);
    let defined = all > 0.0 && !not_finite(all);
    var square = 0.0;
    #for p in range(POWERS)
    if defined && lid + $p$ * THREADS <= HALF {
        let d = sqrt(power_$p$ / all) - amplitudes[unit % COLUMNS * (HALF + 1) + lid + $p$ * THREADS];
        square = fma(d, d, square);
    }
    #endfor
    let squares = workgroup_sum(lid, square);
    if lid == 0 {
        let answer = e * ANSWERS + 3 + 2 * (unit % COLUMNS);
        answers[answer] = select(1.0, min(sqrt(0.5 * squares), 1.0), defined);
        answers[answer + 1] = all_bends / f32(max(params.rows, 3) - 2);
    }
}
