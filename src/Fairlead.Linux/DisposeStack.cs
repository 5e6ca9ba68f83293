namespace Fairlead.Linux;

/// <summary>Disposes what was pushed, last first, unless <see cref="Keep"/> was called: for making several things of which all or none shall stay.</summary>
internal sealed class DisposeStack : IDisposable
{
    private readonly Stack<IDisposable> items = [];

    public T Push<T>(T item)
        where T : IDisposable
    {
        items.Push(item);
        return item;
    }

    public void Keep() => items.Clear();

    public void Dispose()
    {
        while (items.TryPop(out var item))
        {
            item.Dispose();
        }
    }
}
