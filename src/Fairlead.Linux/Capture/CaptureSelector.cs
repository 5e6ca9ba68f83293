using Fairlead.Platform;
using Fairlead.Platform.Capture;
using Fairlead.Platform.Journal;

namespace Fairlead.Linux.Capture;

/// <summary>Tries the ways, best first; what works is known only by doing it.</summary>
internal static class CaptureSelector
{
    public static async Task<CaptureSelection> OpenAsync(CaptureOptions options, IHostJournal journal, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(options);
        CaptureWay[] ways = options.Way is { } forced ? [forced] : [CaptureWay.SkLookup, CaptureWay.NftRedirect, CaptureWay.PortListeners];
        var rejected = new List<CaptureRejection>();
        foreach (var way in ways)
        {
            try
            {
                ILoopbackCapture capture = way switch
                {
                    CaptureWay.SkLookup => SkLookupCapture.Open(options),
                    CaptureWay.NftRedirect => await NftRedirectCapture.OpenAsync(options, journal, cancellationToken),
                    _ => new PortListenersCapture(options),
                };
                return new CaptureSelection(capture, rejected);
            }
            catch (HostException exception)
            {
                rejected.Add(new CaptureRejection(way, exception.Hint is { } hint ? $"{exception.Message} {hint}" : exception.Message));
            }
        }

        throw new HostException($"Local connections can't be captured. {string.Join(' ', rejected.Select(rejection => $"{rejection.Way}: {rejection.Reason}"))}");
    }
}
