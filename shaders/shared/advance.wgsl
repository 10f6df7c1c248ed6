// One step of a team's rows, in the body of forward.wgsl and free_run.wgsl:
//   state = A o state + h + C s + W phi      with `phi[buffer]` of all rows, inputs at `s_at` of each quad's `s_step`
#for r in range(R)
#for v in range(V)
state[$r$][$v$] = fma(vec4(A_$r$), state[$r$][$v$], vec4(h_$r$));
#endfor
#endfor
#if INPUTS
for (var k = 0u; k < K; k++) {
    #for v in range(V)
    {
        let input = s[(quad + $v$) * s_step + s_at * K + k];
        #for r in range(R)
        state[$r$][$v$] = fma(vec4(theta[base + C_AT + i_$r$ * K + k]), input, state[$r$][$v$]);
        #endfor
    }
    #endfor
}
#endif
#if WIDE
for (var j = 0u; j < M; j++) {
    let column = e * M * M + j * M;
    #for r in range(R)
    let w_$r$ = transposed[column + i_$r$];
    #endfor
    #for v in range(V)
    {
        let p = phi[buffer][j][$v$];
        #for r in range(R)
        state[$r$][$v$] = fma(vec4(w_$r$), p, state[$r$][$v$]);
        #endfor
    }
    #endfor
}
#else
#for j in range(M)
#for v in range(V)
{
    let p = phi[buffer][$j$][$v$];
    #for r in range(R)
    state[$r$][$v$] = fma(vec4(w[$r$][$j$]), p, state[$r$][$v$]);
    #endfor
}
#endfor
#endfor
#endif
