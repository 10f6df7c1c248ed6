// Two standard normals from two random words: the twin of src/rng/normal.rs, which explains it. Only + * sqrt and
// bit operations, because WGSL promises little accuracy for log, sin and cos.

const LN_2: f32 = 0.69314718055994531;
const SQRT_HALF_BITS: i32 = 0x3f3504f3;
const QUARTER_TURN: f32 = 1.57079632679489662 / 16777216.0;

fn normal_pair(words: vec2<u32>) -> vec2<f32> {
    let u = f32((words.x >> 8u) + 1u) * (1.0 / 16777216.0);
    let shifted = bitcast<i32>(u) - SQRT_HALF_BITS;
    let exponent = f32(shifted >> 23u);
    let f = bitcast<f32>((shifted & 0x007fffff) + SQRT_HALF_BITS) - 1.0;
    var p = fma(0.087439455, f, -0.1437733);
    p = fma(p, f, 0.14949095);
    p = fma(p, f, -0.16560696);
    p = fma(p, f, 0.19956978);
    p = fma(p, f, -0.25002155);
    p = fma(p, f, 0.33334184);
    p = fma(p, f, -0.49999988);
    p = fma(p, f, 1.0);
    let r = sqrt(max(-2.0 * fma(exponent, LN_2, f * p), 0.0));

    let angle = f32(bitcast<i32>(words.y << 2u) >> 8u) * QUARTER_TURN;
    let y = angle * angle;
    let sin_y = angle * fma(fma(fma(-0.00019503964, y, 0.008332036), y, -0.16666651), y, 1.0);
    let cos_y = fma(fma(fma(-0.0013585844, y, 0.041655023), y, -0.49999857), y, 1.0);
    let quadrant = words.y >> 30u;
    var a = select(cos_y, sin_y, (quadrant & 1u) == 1u);
    var b = select(sin_y, cos_y, (quadrant & 1u) == 1u);
    a = select(a, -a, quadrant == 1u || quadrant == 2u);
    b = select(b, -b, quadrant >= 2u);
    return r * vec2(a, b);
}
